/**
 * Answers of registries that all workers share: a hash for each name, which goes by itself; a sorted set of the
 * repositories by when they were last wanted; and what is expected of a repository, while it is.
 */
import type { AnswerStore, SharedState } from '../pipeline/job-ports.ts';
import type { Log } from '../pipeline/ports.ts';
import { createAskOrLeave } from './ask-or-leave.ts';
import type { RedisClient, RedisLink } from './open-redis.ts';

/** As each worker keeps them. */
const keepMs = 48 * 3_600_000;
const maxRepositories = 50_000;
/** Names in one script, which nothing else runs beside, and values on their way at a time. */
const readBatch = 500;
const valueBatch = 100;

/** What is at KEYS but no such thing is taken away, so that it cannot keep the others from their answers. */
const safely = `
local function safely(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if string.find(answer.err, 'WRONGTYPE') then redis.call('DEL', key) end
  return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS: repositories, then of each question the answer and what is expected; ARGV: keepMs, maxRepositories, then use and repository. */
const readScript = `${safely}
local found = { now }
local keep = tonumber(ARGV[1])
for i = 1, (#KEYS - 1) / 2 do
  local key, use, repository = KEYS[2 * i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  if use ~= 'none' then
    safely('HSET', key, 'used', now)
    if use == 'more' then safely('HSET', key, 'more', now) end
    redis.call('PEXPIRE', key, keep)
    safely('ZADD', KEYS[1], now, repository)
  end
  local known = safely('HMGET', key, 'order', 'state', 'version', 'used', 'more') or {}
  for field = 1, 5 do found[#found + 1] = known[field] or '' end
  found[#found + 1] = safely('GET', KEYS[2 * i + 1]) or ''
end
safely('ZREMRANGEBYSCORE', KEYS[1], 0, now - keep)
safely('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
return found`;

/** KEYS: answer; ARGV: keepMs, over, order, state, version, and where it was asked for the value. 1: it is asked for. */
const writeScript = `${safely}
local known = safely('HMGET', KEYS[1], 'order', 'version') or {}
if known[1] and known[1] > ARGV[3] and known[1] ~= ARGV[2] then return 0 end
if ARGV[5] ~= '' and known[2] ~= ARGV[5] then
  if not ARGV[6] then return 1 end
  redis.call('HSET', KEYS[1], 'version', ARGV[5], 'value', ARGV[6])
end
redis.call('HSET', KEYS[1], 'order', ARGV[3], 'state', ARGV[4])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 0`;

/** KEYS: what is expected of each; ARGV: keepMs. Microseconds, so that it rises also where it was forgotten meanwhile. */
const expectScript = `${safely}
for _, key in ipairs(KEYS) do
  local last = tonumber(safely('GET', key) or 0) or 0
  local next = math.max(last + 1, time[1] * 1000000 + time[2])
  redis.call('SET', key, string.format('%.0f', next), 'PX', ARGV[1])
end
return 0`;

/** Says once when each worker goes on with what it knows itself. The link is not closed with it. */
export function createRedisAnswers(link: RedisLink, { log }: { log: Pick<Log, 'warn'> }): AnswerStore {
  const answerKey = (name: string): string => `${link.keyPrefix}answer:${name}`;
  const expectedKey = (repository: string): string => `${link.keyPrefix}expected:${repository}`;
  const repositoriesKey = `${link.keyPrefix}answer-repositories`;
  const ask = createAskOrLeave(link, {
    task: 'share answers of registries',
    alone: 'answers of registries are kept by each worker for itself until Redis takes part again',
    log,
  });

  return {
    async read(questions, { signal }) {
      let nowMs = 0;
      const states: SharedState[] = [];
      for (const some of split(questions, readBatch)) {
        const keys = some.flatMap(({ name, repository }) => [answerKey(name), expectedKey(repository)]);
        const args = some.flatMap(({ use, repository }) => [use, repository]);
        const all = [repositoriesKey, ...keys, keepMs, maxRepositories, ...args];
        const found = await ask((client) => client.eval(readScript, keys.length + 1, ...all), signal);
        if (!Array.isArray(found)) return undefined;
        const [now, ...fields] = found.map(String);
        nowMs = Number(now);
        states.push(...split(fields, 6).map((each) => readState(each, nowMs)));
      }
      return { nowMs, states };
    },
    async readValues(names, { signal }) {
      const values: ({ order: string; state: string; version: string; value: string } | undefined)[] = [];
      for (const some of split(names, valueBatch)) {
        const found = await ask(
          (client) => Promise.all(some.map((name) => readWhole(client, answerKey(name)))),
          signal,
        );
        if (found === undefined) return undefined;
        values.push(...found);
      }
      return values;
    },
    async write(name, { order, state, version, value, over = '' }, { signal }) {
      const args = [answerKey(name), keepMs, over, order, state, version];
      const isAsked = await ask((client) => client.eval(writeScript, 1, ...args), signal);
      if (isAsked === 1) await ask((client) => client.eval(writeScript, 1, ...args, value), signal);
    },
    async expect(concerns, { signal }) {
      const known = await ask((client) => client.zrange(repositoriesKey, 0, '-1'), signal);
      const concerned = known?.filter(concerns) ?? [];
      for (const some of split(concerned, readBatch))
        await ask((client) => client.eval(expectScript, some.length, ...some.map(expectedKey), String(keepMs)), signal);
      return known && concerned;
    },
  };
}

function readState(fields: readonly string[], nowMs: number): SharedState {
  const [order = '', state = '', version = '', used = '', more = '', expected = ''] = fields;
  const toAge = (text: string): number => (/^\d+$/.test(text) ? Math.max(0, nowMs - Number(text)) : Infinity);
  return {
    answer: order === '' ? undefined : { order, state, version },
    expectations: /^\d{1,16}$/.test(expected) ? Number(expected) : 0,
    usedAgeMs: toAge(used),
    moreAgeMs: toAge(more),
  };
}

async function readWhole(client: RedisClient, key: string) {
  const [order, state, version, value] = await client.hmget(key, 'order', 'state', 'version', 'value');
  if (order == null || state == null || version == null || value == null) return undefined;
  return { order, state, version, value };
}

function split<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
