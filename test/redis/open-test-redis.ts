/** What the tests of src/redis have in common. */
import type { Ledger } from '../../src/pipeline/job-ports.ts';
import type { Log } from '../../src/pipeline/ports.ts';
import { openRedis, type RedisLink, type RedisSettings } from '../../src/redis/open-redis.ts';
import { createRedisLedger } from '../../src/redis/redis-ledger.ts';
import type { TestRedis } from '../services/redis.ts';

/** The link as a process without TLS and credentials has it, and what it logged. */
export function openTestRedis(
  { host, port }: Pick<TestRedis, 'host' | 'port'>,
  more: Partial<RedisSettings> = {},
): RedisLink & { readonly logged: readonly string[] } {
  const logged: string[] = [];
  const tell = (level: string) => (fields: object, message: string) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const link = openRedis({
    place: { kind: 'server', host, port, database: 0 },
    tls: undefined,
    credential: undefined,
    keyPrefix: 'tallyman',
    log: { info: tell('info'), warn: tell('warn') },
    ...more,
  });
  return { ...link, logged };
}

/** The ledger of a worker whose clock goes evenly, and who says nothing. */
export function openTestLedger(link: RedisLink, log: Pick<Log, 'warn'> = { warn: () => undefined }): Ledger {
  return createRedisLedger(link, { clock: { nowMs: () => performance.now() }, log });
}
