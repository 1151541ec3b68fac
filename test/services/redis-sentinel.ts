/** Sentinels, and what they watch: a primary and its replica, which they put in its place when it is gone. */
import { Redis } from 'ioredis';
import { waitUntil } from '../wait-until.ts';
import { startRedis, type TestRedis, untilReplicated } from './redis.ts';
import { prepareRedisProcess, type RedisProcess, redisHost } from './redis-process.ts';

/** Under this name they know the primary. */
export const sentinelName = 'main';
/** So long a server is silent until they take it for dead; on a busy machine one that lives may be late. */
const downAfterMs = 1000;
const failoverTimeoutMs = 5000;

/** One that watches the server; `quorum` of them have to agree that it is gone. */
export async function startSentinel(
  { port: watched }: Pick<TestRedis, 'port'>,
  { quorum = 1, lines = [] }: { quorum?: number; lines?: readonly string[] } = {},
): Promise<RedisProcess> {
  const format = ({ port }: { port: number }): readonly string[] => [
    `port ${port}`,
    `sentinel monitor ${sentinelName} ${redisHost} ${watched} ${quorum}`,
    `sentinel down-after-milliseconds ${sentinelName} ${downAfterMs}`,
    `sentinel failover-timeout ${sentinelName} ${failoverTimeoutMs}`,
    ...lines,
  ];
  const sentinel = await prepareRedisProcess(format, { args: ['--sentinel'] });
  try {
    await sentinel.start();
    return sentinel;
  } catch (error) {
    await sentinel.close();
    throw error;
  }
}

export interface WatchedPair {
  readonly primary: TestRedis;
  readonly replica: TestRedis;
  readonly sentinels: readonly RedisProcess[];
  /** Resolves once the replica has all that the primary took so far. */
  replicate(): Promise<void>;
  /** The two change places as a person would have them, which ends no connection; Sentinels are told afterwards. */
  exchange(): Promise<void>;
  close(): Promise<void>;
}

/** Resolves once the replica follows and three Sentinels, two of which have to agree, know of it and of each other. */
export async function startWatchedPair(): Promise<WatchedPair> {
  const started: { close(): Promise<void> }[] = [];
  const keep = <Server extends { close(): Promise<void> }>(server: Server): Server => {
    started.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    for (const server of started.reverse()) await server.close();
  };
  try {
    // By default a primary waits some seconds for more replicas.
    const primary = keep(await startRedis({ lines: ['repl-diskless-sync-delay 0'] }));
    const replica = keep(await startRedis({ lines: [`replicaof ${redisHost} ${primary.port}`] }));
    const sentinels: RedisProcess[] = [];
    for (const _ of [1, 2, 3]) sentinels.push(keep(await startSentinel(primary, { quorum: 2 })));
    const replicate = () => untilReplicated(primary);
    await replicate();
    await waitUntilReady(sentinels);
    return { primary, replica, sentinels, replicate, exchange: () => exchange(primary, replica, sentinels), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function exchange(from: TestRedis, to: TestRedis, sentinels: readonly RedisProcess[]): Promise<void> {
  await forEach(sentinels, (client) => client.call('SENTINEL', 'REMOVE', sentinelName));
  await to.client.replicaof('NO', 'ONE');
  await from.client.replicaof(redisHost, to.port);
  const watch = ['SENTINEL', 'MONITOR', sentinelName, redisHost, String(to.port), '2'] as const;
  await forEach(sentinels, (client) => client.call(...watch));
}

/** A Sentinel finds the others by what they write into the primary, every two seconds. */
async function waitUntilReady(sentinels: readonly RedisProcess[]): Promise<void> {
  const isReady = async (client: Redis): Promise<boolean> =>
    /^master0:.*status=ok,.*slaves=1,sentinels=3\r?$/m.test(await client.info('sentinel'));
  await forEach(sentinels, (client) => waitUntil(() => isReady(client)));
}

async function forEach(sentinels: readonly RedisProcess[], ask: (client: Redis) => Promise<unknown>): Promise<void> {
  await Promise.all(
    sentinels.map(async ({ port }) => {
      const client = new Redis({ host: redisHost, port, retryStrategy: () => 50 });
      client.on('error', () => {});
      await ask(client).finally(() => client.disconnect());
    }),
  );
}
