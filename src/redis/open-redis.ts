/** The connection to Redis: one for all that answers at once, and more for what blocks. */
import { rootCertificates } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { ErrorCode } from '../error/catalogue.ts';
import type { Log } from '../pipeline/ports.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import { createReplicaLeaver, type ReplicaLeaver } from './leave-replica.ts';
import { describeRedisFault, toRedisError } from './redis-fault.ts';

/** Read anew for each connection. */
export type ReadRedisCredential = () => { readonly username: string; readonly password: string };

interface Node {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is. */
export type RedisPlace =
  | ({ readonly kind: 'server'; readonly database: number } & Node)
  | {
      readonly kind: 'sentinel';
      readonly master: string;
      readonly nodes: readonly Node[];
      readonly credential: ReadRedisCredential | undefined;
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly Node[] };

export interface RedisSettings {
  readonly place: RedisPlace;
  /** `ca`: PEM text of authorities besides the usual ones. Undefined: without TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  readonly credential: ReadRedisCredential | undefined;
  /** Without braces. */
  readonly keyPrefix: string;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Longest wait for one answer. Default 5 seconds. */
  readonly answerMs?: number;
}

export type RedisClient = Redis | Cluster;
type ClientOptions = Omit<RedisOptions, 'replyMapping'>;

/** What is to be done, as it is told: `add jobs`, and the code of its failure. */
interface Task {
  readonly code: ErrorCode;
  readonly task: string;
  readonly signal?: AbortSignal | undefined;
}

export interface RedisLink {
  readonly client: RedisClient;
  /** What all keys begin with: `{tallyman}:`. In a cluster all of them are on one node, so that scripts may use several. */
  readonly keyPrefix: string;
  /** A connection of its own, for commands that block; whoever opens it ends it with `endForGood`, or it ends with the link. */
  openBlocking(): RedisClient;
  /** What the command answers. Throws a TallymanError of that code in bounded time, or the signal's reason. */
  ask<Value>(task: Task, command: (client: RedisClient) => Promise<Value>): Promise<Value>;
  close(): Promise<void>;
}

const defaultAnswerMs = 5000;
const longestRetryMs = 2000;
/** A server that says nothing does not close its side either. */
const disconnectMs = 500;

/** Begins to connect; does not wait for it. Lost connections are made again by themselves. */
export function openRedis(settings: RedisSettings): RedisLink {
  const { answerMs = defaultAnswerMs, place, log } = settings;
  const where = describePlace(place);
  const leaver = createReplicaLeaver();
  // What cannot be sent is refused at once: nothing piles up while there is no connection.
  const client = connect(settings, {
    reconnectOnError: leaver.reconnectOnError,
    commandTimeout: answerMs,
    socketTimeout: 2 * answerMs,
    enableOfflineQueue: false,
  });
  const blocking = new Set<RedisClient>();
  /** One listener of the client's for all that wait: there may be hundreds. */
  const waiting = new Set<() => void>();
  client.on('ready', () => {
    for (const admit of waiting) admit();
    waiting.clear();
  });
  const health = watch(client, { log, where, leaver });

  async function waitUntilReady(): Promise<void> {
    if (client.status === 'ready') return;
    if (client.status === 'end') throw new Error('Connection is closed');
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(admit);
        reject(health.lastError() ?? new Error('timed out'));
      }, answerMs);
      const admit = (): void => {
        clearTimeout(timer);
        resolve();
      };
      waiting.add(admit);
    });
  }

  return {
    client,
    keyPrefix: `{${settings.keyPrefix}}:`,
    openBlocking() {
      const { reconnectOnError } = createReplicaLeaver();
      const opened = quiet(connect(settings, { reconnectOnError, enableOfflineQueue: true }));
      blocking.add(opened);
      return opened;
    },
    async ask({ code, task, signal }, command) {
      signal?.throwIfAborted();
      try {
        const answer = waitUntilReady().then(() => command(client));
        return await (signal === undefined ? answer : untilAborted(answer, signal));
      } catch (error) {
        signal?.throwIfAborted();
        throw toRedisError(error, { code, task, place: where });
      }
    },
    async close() {
      health.stop();
      for (const one of [client, ...blocking]) endForGood(one);
    },
  };
}

/** Ends the connection, also one that is being made. BullMQ and ioredis would make another one, even after they were closed. */
export function endForGood(client: RedisClient): void {
  client.connect = async () => {
    throw new Error('Connection is closed');
  };
  client.disconnect();
}

function connect(settings: RedisSettings, more: ClientOptions): RedisClient {
  const { place, tls } = settings;
  const options: ClientOptions = {
    ...more,
    connectTimeout: defaultAnswerMs,
    disconnectTimeout: disconnectMs,
    // A command whose connection is lost fails, and is tried again by who knows whether that does harm.
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    // INFO may not be allowed; where Redis is still loading it says so to each command.
    enableReadyCheck: false,
    ...(tls !== undefined && { tls: toTlsOptions(tls.ca) }),
    ...readCredential(settings.credential),
  };
  if (place.kind === 'cluster') return connectCluster(place.nodes, { settings, options });
  const sentinel = place.kind === 'sentinel' ? place.credential : undefined;
  const retry = (times: number): number => {
    const read = [readCredentialAgain(settings.credential), toSentinelCredential(readCredentialAgain(sentinel))];
    Object.assign(client.options, ...read);
    return retryAfter(times);
  };
  const client: Redis = new Redis({
    ...options,
    ...(place.kind === 'server' ? { host: place.host, port: place.port, db: place.database } : toSentinel(place, tls)),
    retryStrategy: retry,
    sentinelRetryStrategy: retry,
  });
  return client;
}

function connectCluster(
  nodes: readonly Node[],
  { settings, options }: { settings: RedisSettings; options: ClientOptions },
): Cluster {
  const { enableOfflineQueue, ...redisOptions } = options;
  return new Cluster([...nodes], {
    redisOptions,
    enableOfflineQueue: enableOfflineQueue === true,
    slotsRefreshTimeout: defaultAnswerMs,
    // Certificates name hosts, and so are these to be asked for.
    dnsLookup: (address, callback) => callback(null, address),
    clusterRetryStrategy: (times) => {
      Object.assign(redisOptions, readCredentialAgain(settings.credential));
      return retryAfter(times);
    },
  });
}

function toSentinel(place: Extract<RedisPlace, { kind: 'sentinel' }>, tls: RedisSettings['tls']): ClientOptions {
  return {
    name: place.master,
    sentinels: [...place.nodes],
    sentinelCommandTimeout: defaultAnswerMs,
    ...(tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: toTlsOptions(tls.ca) }),
    ...toSentinelCredential(readCredential(place.credential)),
  };
}

function toSentinelCredential({ username, password }: ReturnType<typeof readCredential>): ClientOptions {
  return {
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
  };
}

function toTlsOptions(ca: string | undefined): { ca?: string[] } {
  return ca === undefined ? {} : { ca: [...rootCertificates, ca] };
}

function readCredential(read: ReadRedisCredential | undefined): { username?: string; password?: string } {
  if (read === undefined) return {};
  const { username, password } = read();
  return { username, password };
}

/** Nothing where it cannot be read now: what was read before may still do. */
function readCredentialAgain(read: ReadRedisCredential | undefined): { username?: string; password?: string } {
  try {
    return readCredential(read);
  } catch {
    return {};
  }
}

function retryAfter(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), longestRetryMs) * (0.8 + 0.4 * Math.random());
}

function describePlace(place: RedisPlace): string {
  const show = ({ host, port }: Node): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (place.kind === 'server') return show(place);
  const nodes = place.nodes.map(show).join(', ');
  return place.kind === 'sentinel' ? `${place.master} of ${nodes}` : nodes;
}

/** Says once that Redis cannot be reached, and once that it can again. */
function watch(
  client: RedisClient,
  { log, where, leaver }: { log: RedisSettings['log']; where: string; leaver: ReplicaLeaver },
) {
  let lastError: unknown;
  let isDown = false;
  let isStopped = false;
  const tellDown = (error: unknown): void => {
    if (isDown || isStopped) return;
    isDown = true;
    log.warn({ redis: where }, `cannot reach Redis: ${describeRedisFault(error).found}; it is tried again by itself`);
  };
  client.on('error', (error) => {
    lastError = error;
    tellDown(error);
  });
  client.on('close', () => {
    if (!leaver.hasLeft()) tellDown(lastError ?? new Error('Connection is closed'));
  });
  client.on('ready', () => {
    if (isDown) log.info({ redis: where }, 'Redis is reachable again');
    isDown = false;
    lastError = undefined;
  });
  return {
    lastError: () => lastError,
    stop: () => {
      isStopped = true;
    },
  };
}

/** Its errors are told by the other connection. */
function quiet(client: RedisClient): RedisClient {
  client.on('error', () => {});
  return client;
}
