/**
 * What is wanted of each subject, changed in Redis itself so that no two workers can contradict each other. A wish without
 * an alarm (`j` is empty) waits for the end of the subject's run. An alarm is a job of BullMQ; what BullMQ does with it (its
 * lock, moving it once it stalls) is seen by its own keys, `<base><job>` and `<base><job>:lock`.
 *
 * Keys of all: wishes (hash, id → JSON of `s` subject, `u` urgent, `j` alarm), due (sorted set, id by time),
 * running (hash, id → JSON of `s`, `d` due, `j` alarm, `t` token of the run), meta (BullMQ's hash).
 */
const common = `
local wishes, due, running, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, token = ARGV[1], ARGV[2]
-- Scores may be infinite, which no JSON holds.
local function isFinite(value) return type(value) == 'number' and math.abs(value) < math.huge end
local function dueOf(id, other)
  local time = tonumber(redis.call('ZSCORE', due, id) or other)
  return isFinite(time) and time or other
end
-- What is damaged is taken away: it is added again, and cannot keep the others from theirs.
local function read(key, id)
  local text = redis.call('HGET', key, id)
  if not text then return nil end
  local isJson, value = pcall(cjson.decode, text)
  local isSound = isJson and type(value) == 'table' and type(value.s) == 'string' and type(value.j) == 'string'
  if isSound and (key == wishes or isFinite(value.d)) then return value end
  redis.call('HDEL', key, id)
  if key == wishes then redis.call('ZREM', due, id) end
  return nil
end
local function exists(name) return redis.call('EXISTS', base .. name) == 1 end
local function isLive(run) return run and exists(run.j .. ':lock') end
local function save(id, wish, time)
  redis.call('HSET', wishes, id, cjson.encode(wish))
  redis.call('ZADD', due, time, id)
end
local function drop(id)
  redis.call('HDEL', wishes, id)
  redis.call('ZREM', due, id)
end
-- The wish with an alarm of its own, and what the caller is to tell BullMQ.
local function ring(id, wish, time)
  local old = wish.j
  wish.j = id .. '-' .. token
  save(id, wish, time)
  return { job = wish.j, dueMs = time, urgent = wish.u == 1, old = old }
end
`;

/** ARGV[3]: JSON array of requests, ARGV[4]: now. Answers a JSON array of alarms to be set. */
export const addScript = `${common}
-- BullMQ's stream of events is read by nobody; a flush takes this along.
redis.call('HSETNX', meta, 'opts.maxLenEvents', 100)
-- A job that is on no list of BullMQ never rings. One list is long: it is looked through only for what is late.
local function willRing(job, time)
  if not exists(job) then return false end
  for _, set in ipairs({ 'delayed', 'prioritized' }) do
    if redis.call('ZSCORE', base .. set, job) then return true end
  end
  if exists(job .. ':lock') or redis.call('LPOS', base .. 'active', job) then return true end
  local late = tonumber(ARGV[4]) - time
  return math.abs(late) < 60000 or (late > 0 and redis.call('LPOS', base .. 'wait', job))
end
local alarms = {}
for _, asked in ipairs(cjson.decode(ARGV[3])) do
  local id = asked.id
  local known = read(wishes, id)
  local held = isLive(read(running, id))
  local time = known and dueOf(id, asked.dueMs)
  local next, nextTime = known, time
  if not known and not (held and asked.ifAbsent) then
    next, nextTime = { s = asked.subject, u = asked.urgent and 1 or 0, j = '' }, asked.dueMs
  elseif known and not asked.ifAbsent then
    next = { s = known.s, u = (asked.urgent or known.u == 1) and 1 or 0, j = known.j }
    nextTime = math.min(time, asked.dueMs)
  end
  if next and held then
    if next.j ~= '' or next ~= known then save(id, { s = next.s, u = next.u, j = '' }, nextTime) end
  elseif next then
    local isSame = known and nextTime == time and next.u == known.u
    if not (isSame and next.j ~= '' and willRing(next.j, time)) then table.insert(alarms, ring(id, next, nextTime)) end
  end
end
return #alarms == 0 and '[]' or cjson.encode(alarms)
`;

/** ARGV[3]: id, ARGV[4]: the alarm that rang. Answers JSON: the `run` to be made, or an `alarm` to be set, or nothing. */
export const takeScript = `${common}
local id, job = ARGV[3], ARGV[4]
local wish, run = read(wishes, id), read(running, id)
local other = run and run.j ~= job and isLive(run)
if wish and wish.j == job then
  local time = dueOf(id, 0)
  if other then
    wish.j = ''
    save(id, wish, time)
    return '{}'
  end
  drop(id)
  local begun = { s = wish.s, d = time, j = job, t = token }
  redis.call('HSET', running, id, cjson.encode(begun))
  return cjson.encode({ run = begun })
end
-- Its worker is gone: it is run again.
if run and run.j == job then
  run.t = token
  redis.call('HSET', running, id, cjson.encode(run))
  return cjson.encode({ run = run })
end
-- An alarm that was set anew since. Where that other one was lost on its way, it is set again.
if wish and not other and not (wish.j ~= '' and exists(wish.j)) then
  return cjson.encode({ alarm = ring(id, wish, dueOf(id, 0)) })
end
return '{}'
`;

/**
 * ARGV[3]: id, ARGV[4]: token of the run, ARGV[5]: JSON of `subject` and, where it is to run again, `dueMs`.
 * Answers JSON: an `alarm` to be set, or nothing.
 */
export const finishScript = `${common}
local id = ARGV[3]
local run, wish, outcome = read(running, id), read(wishes, id), cjson.decode(ARGV[5])
-- Taken over by another worker, whose outcome counts.
if run and run.t ~= ARGV[4] then return '{}' end
redis.call('HDEL', running, id)
if not wish and not outcome.dueMs then return '{}' end
local time = wish and dueOf(id, 0) or outcome.dueMs
local nextTime = math.min(time, outcome.dueMs or time)
local next = { s = outcome.subject, u = wish and wish.u or 0, j = wish and wish.j or '' }
if wish and nextTime == time and next.j ~= '' and exists(next.j) then
  save(id, next, nextTime)
  return '{}'
end
return cjson.encode({ alarm = ring(id, next, nextTime) })
`;

/**
 * ARGV[3]: now. Answers the numbers that are due, that wait in all, that run, and the first time. Fails where nothing could
 * be added: Redis is full, or a replica.
 */
export const countScript = `${common}
redis.call('HSETNX', meta, 'opts.maxLenEvents', 100)
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
return { redis.call('ZCOUNT', due, '-inf', ARGV[3]), redis.call('ZCARD', due), redis.call('HLEN', running), first[2] or '' }
`;
