/** Notices that Redis lost the ledger: by a mark that whoever finds none leaves there. */
import { randomUUID } from 'node:crypto';
import type { Log } from '../pipeline/ports.ts';
import type { RedisLink } from './open-redis.ts';

/** Writes only where it has to: a full Redis can still be read. */
const getOrMark = `
local mark = redis.call('GET', KEYS[1])
if mark then return mark end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`;

/** Looks; says once for each time that the mark is another than this worker knew. */
export function createFlushWatch(
  { ask, keyPrefix }: Pick<RedisLink, 'ask' | 'keyPrefix'>,
  log: Pick<Log, 'warn'>,
): (options: { readonly signal: AbortSignal }) => Promise<void> {
  let known: unknown;
  return async ({ signal }) => {
    const asked = { code: 'LedgerUnavailable', task: 'look for the ledger', signal } as const;
    const mark = await ask(asked, (client) => client.eval(getOrMark, 1, `${keyPrefix}ledger-mark`, randomUUID()));
    if (known !== undefined && mark !== known)
      log.warn({}, 'redis lost the ledger: ages of tags begin anew, and tags that were moved are taken for new ones');
    known = mark;
  };
}
