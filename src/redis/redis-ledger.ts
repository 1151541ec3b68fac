/** The ledger that several workers share: one value for each repository, changed only from what it was when it was read. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { Ledger } from '../pipeline/job-ports.ts';
import type { Clock, Log } from '../pipeline/ports.ts';
import { mergeSightings } from '../sighting/merge-sighting.ts';
import { packEntries, unpackEntries } from '../sighting/pack-entries.ts';
import { keptMs, type LedgerEntry, type RepositoryLook } from '../sighting/sighting.ts';
import { createFlushWatch } from './flush-watch.ts';
import type { RedisLink } from './open-redis.ts';
import { createRedisClock } from './redis-clock.ts';

type Entries = ReadonlyMap<string, LedgerEntry>;

/** A look is noted again once it is so old: one write of a few bytes for each repository and day. */
const notedSeconds = 86_400;
const keptSeconds = keptMs / 1000 + notedSeconds;

/** The value, empty for none; kept from now on where the last look is not of today. */
const getAndKeep = `
local value = redis.call('GET', KEYS[1])
if value and redis.call('TTL', KEYS[1]) < ${keptSeconds - notedSeconds} then redis.call('EXPIRE', KEYS[1], ${keptSeconds}) end
return value or ''`;

/** Sets the value where it is still the one that was read; an empty one stands for none. 1 where it was set. */
const setIfSame = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ${keptSeconds})
return 1`;

/** Each time somebody else has set it: one of all who try succeeds. */
const maxTries = 100;

/** Its clock is that of Redis, which `clock` shows to go evenly. The link is not closed with it. A Redis that lost its data makes tags young, never old, and is told. */
export function createRedisLedger(
  { ask, keyPrefix }: Pick<RedisLink, 'ask' | 'keyPrefix'>,
  { clock, log }: { clock: Pick<Clock, 'nowMs'>; log: Pick<Log, 'warn'> },
): Ledger {
  const tellTime = createRedisClock({ ask, keyPrefix }, clock);
  const lookForFlush = createFlushWatch({ ask, keyPrefix }, log);
  const toKey = (repository: string): string => `${keyPrefix}ledger:${repository}`;

  async function get(repository: string, { signal, keep }: { signal: AbortSignal; keep: boolean }): Promise<string> {
    const asked = { code: 'LedgerUnavailable', task: 'read the ledger', signal } as const;
    const key = toKey(repository);
    const text = await ask<unknown>(asked, (client) => (keep ? client.eval(getAndKeep, 1, key) : client.get(key)));
    return String(text ?? '');
  }

  function unpack(repository: string, text: string): Entries {
    if (text === '') return new Map();
    const unpacked = unpackEntries(repository, text);
    if ('entries' in unpacked) return unpacked.entries;
    const key = toKey(repository);
    const message = `Cannot use ledger key "${key}" of Redis: ${unpacked.fault}, what Tallyman wrote was wanted`;
    throw new TallymanError('LedgerUnavailable', message, {
      remedy: `Remove it with \`redis-cli del '${key}'\`: the tags of this repository begin anew then.`,
    });
  }

  async function record(repository: string, look: RepositoryLook, signal: AbortSignal): Promise<Entries> {
    const asked = { code: 'LedgerUnavailable', task: 'write the ledger', signal } as const;
    for (let tries = 1; tries <= maxTries; tries += 1) {
      const text = await get(repository, { signal, keep: true });
      const known = unpack(repository, text);
      const next = mergeSightings(known, look);
      if (next === known) return known;
      const packed = packEntries(repository, next);
      const set = await ask(asked, (client) => client.eval(setIfSame, 1, toKey(repository), text, packed));
      if (set === 1) return next;
    }
    const message = `Cannot write the ledger of "${repository}" in Redis: it changed ${maxTries} times meanwhile, a quiet moment was wanted`;
    throw new TallymanError('LedgerUnavailable', message);
  }

  return {
    async nowMs(options) {
      const [nowMs] = await Promise.all([tellTime(options), lookForFlush(options)]);
      return nowMs;
    },
    read: async (repository, { signal }) => unpack(repository, await get(repository, { signal, keep: false })),
    record: (repository, look, { signal }) => record(repository, look, signal),
    close: async () => undefined,
  };
}
