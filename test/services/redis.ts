/** Debian's `redis-server` as a real Redis for tests, or what takes its place. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis, type RedisOptions } from 'ioredis';
import { waitUntil } from '../wait-until.ts';
import { prepareRedisProcess, type RedisProcess, redisHost, startTimeoutMs } from './redis-process.ts';
import { findFreePort } from './server-process.ts';

const tlsFolder = fileURLToPath(new URL('../registry/tls/', import.meta.url));
/** Its own authority, for 127.0.0.1 and localhost. */
export const redisCaFile = join(tlsFolder, 'localhost-cert.pem');

export interface TestRedisOptions {
  /** Default: `redis-server`. */
  readonly program?: 'valkey-server';
  readonly tls?: boolean;
  /** The one user; nobody else may come in. */
  readonly user?: { readonly username: string; readonly password: string };
  /** One node that has all slots. */
  readonly cluster?: boolean;
  /** Lines of redis.conf. */
  readonly lines?: readonly string[];
}

/** Started again, it is empty, unless its lines say that it keeps what it has. */
export interface TestRedis extends RedisProcess {
  readonly host: string;
  /** A client of the tests' own, with every right. */
  readonly client: Redis;
}

/** Starts a server on a free port of 127.0.0.1 that keeps nothing. Throws where the program is missing or does not start. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const clusterLines = options.cluster === true ? formatClusterNode(await findFreePort()) : [];
  const format = ({ port }: { port: number }) => [...formatConfig(port, options), ...clusterLines];
  const server = await prepareRedisProcess(format, options);
  const client = new Redis({ ...toClientOptions(server.port, options), retryStrategy: () => 50 });
  client.on('error', () => {});
  const redis: TestRedis = {
    ...server,
    host: redisHost,
    client,
    async start() {
      await server.start();
      await client.ping();
      if (options.cluster === true) await joinSlots(client);
    },
    async close() {
      client.disconnect();
      await server.close();
    },
  };
  try {
    await redis.start();
    return redis;
  } catch (error) {
    await redis.close();
    throw error;
  }
}

/** A node without slots. By default its bus is 10,000 ports higher, where there may be none. */
export function formatClusterNode(busPort: number): readonly string[] {
  return ['cluster-enabled yes', `cluster-announce-ip ${redisHost}`, `cluster-port ${busPort}`];
}

function formatConfig(port: number, { tls, user, lines = [] }: TestRedisOptions): readonly string[] {
  const listen = tls === true ? ['port 0', `tls-port ${port}`] : [`port ${port}`];
  const certificates = [
    `tls-cert-file ${redisCaFile}`,
    `tls-key-file ${join(tlsFolder, 'localhost-key.pem')}`,
    `tls-ca-cert-file ${redisCaFile}`,
    'tls-auth-clients no',
  ];
  return [
    ...listen,
    ...(tls === true ? certificates : []),
    'save ""',
    'appendonly no',
    ...(user === undefined ? [] : formatUsers(user)),
    ...lines,
  ];
}

/** The rights that a remedy asks for, and no more. */
function formatUsers({ username, password }: { username: string; password: string }): readonly string[] {
  return [
    'user default off',
    `user root on ${toHash(rootPassword)} ~* &* +@all`,
    // Replicas come as that one.
    'masteruser root',
    `masterauth ${rootPassword}`,
    `user ${username} on ${toHash(password)} ~{tallyman}:* resetchannels +@all -@dangerous`,
  ];
}

/** Lines of redis.conf bear no blanks in a password. */
const toHash = (password: string): string => `#${createHash('sha256').update(password).digest('hex')}`;
const rootPassword = 'root-of-the-tests';

function toClientOptions(port: number, { tls, user }: TestRedisOptions): Omit<RedisOptions, 'replyMapping'> {
  return {
    host: redisHost,
    port,
    ...(tls === true && { tls: { rejectUnauthorized: false } }),
    ...(user !== undefined && { username: 'root', password: rootPassword }),
  };
}

async function joinSlots(client: Redis): Promise<void> {
  // A node remembers its slots, though not its keys.
  if (String(await client.call('CLUSTER', 'INFO')).includes('cluster_slots_assigned:0'))
    await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  const isReady = async () => String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok');
  await waitUntil(isReady, { timeoutMs: startTimeoutMs, tell: () => 'the cluster of one node is ready' });
}

/** Resolves once a replica has all that the server took so far. */
export async function untilReplicated({ client }: Pick<TestRedis, 'client'>): Promise<void> {
  await waitUntil(async () => {
    // WAIT is about what its own connection wrote, and so about all that came before.
    await client.set('{tallyman}:written-last', '1');
    return (await client.wait(1, 1000)) === 1;
  });
}
