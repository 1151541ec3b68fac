/** Debian's `redis-server` as a real Redis for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis, type RedisOptions } from 'ioredis';
import { endProcess, findFreePort, hasEnded } from './server-process.ts';

const tlsFolder = fileURLToPath(new URL('../registry/tls/', import.meta.url));
/** Its own authority, for 127.0.0.1 and localhost. */
export const redisCaFile = join(tlsFolder, 'localhost-cert.pem');

export interface TestRedisOptions {
  readonly tls?: boolean;
  /** The one user; nobody else may come in. */
  readonly user?: { readonly username: string; readonly password: string };
  /** One node that has all slots. */
  readonly cluster?: boolean;
  /** Lines of redis.conf. */
  readonly lines?: readonly string[];
}

export interface TestRedis {
  readonly host: string;
  readonly port: number;
  /** A client of the tests' own, with every right. */
  readonly client: Redis;
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>;
  /** The process on the same port, empty. */
  start(): Promise<void>;
  /** Stops the process from running without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void;
  close(): Promise<void>;
}

const host = '127.0.0.1';
const startTimeoutMs = 15_000;

/** Starts a server on a free port of 127.0.0.1 that keeps nothing. Throws where the program is missing or does not start. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-redis-'));
  const port = await findFreePort();
  const file = join(folder, 'redis.conf');
  await writeFile(file, formatConfig(folder, port, options));
  const client = new Redis({ ...toClientOptions(port, options), retryStrategy: () => 50 });
  client.on('error', () => {});
  let child: ChildProcess | undefined;
  const server: TestRedis = {
    host,
    port,
    client,
    async start() {
      child = await runServer([file]);
      await client.ping();
      if (options.cluster === true) await joinSlots(client);
    },
    async kill() {
      if (child !== undefined) await endProcess(child, 'SIGKILL');
    },
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    async close() {
      client.disconnect();
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

export interface TestSentinel {
  readonly port: number;
  close(): Promise<void>;
}

/** A Sentinel that watches the server under the name `main`. */
export async function startSentinel(redis: TestRedis): Promise<TestSentinel> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-sentinel-'));
  const port = await findFreePort();
  const file = join(folder, 'sentinel.conf');
  const watched = `sentinel monitor main ${host} ${redis.port} 1\nsentinel down-after-milliseconds main 2000\n`;
  await writeFile(file, `bind ${host}\nport ${port}\ndir ${folder}\n${watched}`);
  const child = await runServer([file, '--sentinel']);
  return {
    port,
    async close() {
      await endProcess(child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function formatConfig(folder: string, port: number, { tls, user, cluster, lines = [] }: TestRedisOptions): string {
  const listen = tls === true ? ['port 0', `tls-port ${port}`] : [`port ${port}`];
  const certificates = [
    `tls-cert-file ${redisCaFile}`,
    `tls-key-file ${join(tlsFolder, 'localhost-key.pem')}`,
    `tls-ca-cert-file ${redisCaFile}`,
    'tls-auth-clients no',
  ];
  return [
    `bind ${host}`,
    ...listen,
    ...(tls === true ? certificates : []),
    `dir ${folder}`,
    'save ""',
    'appendonly no',
    ...(user === undefined ? [] : formatUsers(user)),
    ...(cluster === true ? ['cluster-enabled yes', `cluster-announce-ip ${host}`] : []),
    ...lines,
    '',
  ].join('\n');
}

/** The rights that a remedy asks for, and no more. */
function formatUsers({ username, password }: { username: string; password: string }): readonly string[] {
  return [
    'user default off',
    `user root on ${toHash(rootPassword)} ~* &* +@all`,
    `user ${username} on ${toHash(password)} ~{tallyman}:* resetchannels +@all -@dangerous`,
  ];
}

/** Lines of redis.conf bear no blanks in a password. */
const toHash = (password: string): string => `#${createHash('sha256').update(password).digest('hex')}`;
const rootPassword = 'root-of-the-tests';

function toClientOptions(port: number, { tls, user }: TestRedisOptions): Omit<RedisOptions, 'replyMapping'> {
  return {
    host,
    port,
    ...(tls === true && { tls: { rejectUnauthorized: false } }),
    ...(user !== undefined && { username: 'root', password: rootPassword }),
  };
}

async function joinSlots(client: Redis): Promise<void> {
  // A node remembers its slots, though not its keys.
  if (String(await client.call('CLUSTER', 'INFO')).includes('cluster_slots_assigned:0'))
    await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  for (const endMs = Date.now() + startTimeoutMs; ; await wait(20)) {
    if (String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) return;
    if (Date.now() > endMs) throw new Error(`The cluster of one node is not ready after ${startTimeoutMs} ms`);
  }
}

/** Resolves once it accepts connections. */
async function runServer(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-5000);
  });
  let failure: Error | undefined;
  child.on('error', (error) => {
    failure = error;
  });
  for (const endMs = Date.now() + startTimeoutMs; ; await wait(10)) {
    if (/Ready to accept connections|\+monitor master/.test(said)) return child;
    if (failure !== undefined)
      throw new Error(`Cannot start redis-server: ${failure.message}. Install it with: npm run services`);
    if (hasEnded(child) || Date.now() > endMs) {
      await endProcess(child, 'SIGKILL');
      throw new Error(`redis-server does not start: ${said}`);
    }
  }
}
