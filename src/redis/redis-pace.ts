/** What workers tell each other of registry hosts, by the clock of Redis. */
import { createHash } from 'node:crypto';
import type { HostPace, PaceAnswer, PaceQuestion, SharedPulls } from '../pipeline/job-ports.ts';
import type { Log } from '../pipeline/ports.ts';
import { createAskOrLeave } from './ask-or-leave.ts';
import type { RedisLink } from './open-redis.ts';

/** Requests that may go out at once after a quiet time, as milliseconds of the rate: as in one worker. */
const burstMs = 1000;
/** Nobody is kept away for longer: as in one worker. */
const longestPauseMs = 60 * 60_000;
/** A place in the rate so far ahead, and further than so many requests wait, is none that Tallyman took. */
const farMs = 60_000;
const farRequests = 1000;
/** So long a host without a rate and a pause is taken to have none. */
const calmMs = 1000;
const maxCalm = 2000;

/** KEYS: pause, slot, pulls; ARGV: milliseconds between two requests, or 0, the burst, and how far ahead a place may be. */
const enterScript = `
local paused = math.max(0, redis.call('PTTL', KEYS[1]))
local wait = 0
local gap = tonumber(ARGV[1])
if paused == 0 and gap > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local known = tonumber(redis.call('GET', KEYS[2]) or 0) or 0
  if known > now + tonumber(ARGV[3]) then known = now end
  -- In this order what is no number counts for nothing.
  local slot = math.max(now - tonumber(ARGV[2]), known)
  redis.call('SET', KEYS[2], string.format('%.3f', slot + gap), 'PX', 3600000)
  wait = math.max(0, math.ceil(slot - now))
end
return { paused, wait, redis.call('GET', KEYS[3]) or '', redis.call('PTTL', KEYS[3]) }
`;

/** KEYS: pause; ARGV: milliseconds. A pause is never made shorter. */
const pauseScript = `
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
return 0
`;

/** Says once when each worker goes on by its own limits. */
export function createRedisPace(
  link: RedisLink,
  { log, now = () => performance.now() }: { log: Pick<Log, 'warn'>; now?: () => number },
): HostPace {
  /** By the keys of what was asked, when it was found to be calm. */
  const calm = new Map<string, number>();
  const tryOut = createAskOrLeave(link, {
    task: 'share the limits of hosts',
    alone: 'limits of registry hosts are kept by each worker for itself until Redis takes part again',
    log,
  });

  return {
    async enter(question, { signal }) {
      const keys = toKeys(link, question);
      const name = keys.join(' ');
      const gapMs = question.requestsPerSecond === undefined ? 0 : 1000 / question.requestsPerSecond;
      if (gapMs === 0 && now() < (calm.get(name) ?? Number.NEGATIVE_INFINITY) + calmMs)
        return { pausedMs: 0, waitMs: 0, pulls: undefined };
      const args = [gapMs, burstMs, Math.max(farMs, farRequests * gapMs)];
      const answer = await tryOut((client) => client.eval(enterScript, 3, ...keys, ...args), signal);
      if (answer === undefined) {
        calm.clear();
        return undefined;
      }
      const read = readAnswer(answer as (string | number)[]);
      if (calm.size >= maxCalm) calm.clear();
      if (read.pausedMs === 0) calm.set(name, now());
      return read;
    },
    async pause(origin, pausedMs) {
      const [key] = toKeys(link, { origin, account: '' });
      const ms = Math.ceil(Math.min(pausedMs, longestPauseMs));
      if (ms > 0) await tryOut((client) => client.eval(pauseScript, 1, key, ms), undefined);
    },
    async notePulls(question, pulls) {
      const [, , key] = toKeys(link, question);
      await tryOut((client) => client.set(key, JSON.stringify(pulls), 'PX', Math.max(1, pulls.windowMs)), undefined);
    },
  };
}

function toKeys(
  { keyPrefix }: RedisLink,
  { origin, account }: Pick<PaceQuestion, 'origin' | 'account'>,
): [pause: string, slot: string, pulls: string] {
  const base = `${keyPrefix}pace:${origin}`;
  // A user's name is nobody else's business.
  const owner = createHash('sha256').update(account).digest('hex').slice(0, 16);
  return [`${base}:pause`, `${base}:slot`, `${base}:pulls:${owner}`];
}

function readAnswer([pausedMs, waitMs, text, leftMs]: readonly (string | number)[]): PaceAnswer {
  const paused = Math.min(Number(pausedMs), longestPauseMs);
  return { pausedMs: paused, waitMs: Number(waitMs), pulls: readPulls(String(text), Number(leftMs)) };
}

/** Undefined where it is not what Tallyman wrote: it goes by itself, or with the next that is noted. */
function readPulls(text: string, leftMs: number): SharedPulls | undefined {
  if (leftMs <= 0) return undefined;
  try {
    const { left, limit, windowMs } = JSON.parse(text);
    if (![left, limit ?? 0, windowMs].every(Number.isFinite)) return undefined;
    return { left, limit, windowMs, ageMs: Math.max(0, windowMs - leftMs) };
  } catch {
    return undefined;
  }
}
