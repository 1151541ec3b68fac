/** BullMQ as the transport of alarms: it wakes a worker at their time, and gives those of a dead worker to another. */
import { Queue, type QueueBaseOptions, QueueKeys, RedisConnection, RedisQueueBackend, Worker } from 'bullmq';
import { endForGood, type RedisClient, type RedisLink } from './open-redis.ts';
import type { Alarm } from './wish-store.ts';

/** Longest that BullMQ waits for news before it looks by itself. */
const drainSeconds = 5;
const batch = 500;

/** Where alarms are set. */
export interface AlarmQueue {
  set(alarms: readonly Alarm[], options: { signal?: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

/** Alarms of the queue of that name. */
export function createAlarmQueue(link: RedisLink, name: string): AlarmQueue {
  const options = { connection: link.client, prefix: toPrefix(link), skipMetasUpdate: true };
  const queue = new Queue(name, options, createBackend(link));
  queue.on('error', () => {});

  function toJob({ job, dueMs, urgent }: Alarm, nowMs: number) {
    // What has no priority goes before all that has one.
    const order = urgent ? {} : { priority: 1 };
    // BullMQ looks for what is delayed at whole seconds: less is waited for by who is woken.
    const delayMs = dueMs - nowMs < 1000 ? 0 : dueMs - nowMs;
    const opts = { jobId: job, delay: delayMs, timestamp: nowMs, attempts: 1, ...order };
    return { name: 'run', data: { dueMs }, opts: { ...opts, removeOnComplete: true, removeOnFail: true } };
  }

  return {
    async set(alarms, { signal }) {
      const task = { code: 'QueueUnavailable', task: `add jobs to queue "${name}"`, signal } as const;
      for (let from = 0; from < alarms.length; from += batch) {
        const some = alarms.slice(from, from + batch);
        const nowMs = Date.now();
        await link.ask(task, () => queue.addBulk(some.map((alarm) => toJob(alarm, nowMs))));
        const old = some.map((alarm) => alarm.old).filter((job) => job !== '');
        await link.ask(task, () => Promise.all(old.map((job) => queue.remove(job))));
      }
    },
    close: () => queue.close(),
  };
}

/** Where alarms ring. */
export interface AlarmBell {
  /** The next that rings; undefined after some seconds without. Rejects where Redis is away. */
  next(token: string): Promise<RungAlarm | undefined>;
  /** Says that these are still worked on here. */
  extend(alarms: readonly RungAlarm[]): Promise<void>;
  /** Ends the wait for the next, for good. */
  interrupt(): void;
  close(): Promise<void>;
}

export interface RungAlarm {
  readonly job: string;
  readonly token: string;
  /** Up to a second from now, or before. */
  readonly dueMs: number;
  /** It is over. */
  done(): Promise<void>;
  /** It rings again, for anybody. */
  giveBack(): Promise<void>;
}

/** Alarms that nobody extends for `lockMs` ring again. */
export async function createAlarmBell(link: RedisLink, name: string, lockMs: number): Promise<AlarmBell> {
  const blocking = link.openBlocking();
  const options = {
    connection: link.client,
    prefix: toPrefix(link),
    autorun: false,
    drainDelay: drainSeconds,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    // How often a worker died says nothing of the job.
    maxStalledCount: 1_000_000_000,
  };
  const worker = new Worker(name, null, options, createBackend(link, blocking));
  worker.on('error', () => {});
  await worker.startStalledCheckTimer();
  return {
    async next(token) {
      const job = await worker.getNextJob(token);
      if (job?.id === undefined) return undefined;
      return {
        job: job.id,
        token,
        dueMs: Number(job.data?.dueMs ?? 0),
        done: async () => void (await job.moveToCompleted(null, token, false)),
        giveBack: async () => void (await job.moveToWait(token)),
      };
    },
    async extend(alarms) {
      const [jobs, tokens] = [alarms.map(({ job }) => job), alarms.map(({ token }) => token)];
      await worker.extendJobLocks(jobs, tokens, lockMs);
    },
    interrupt: () => endForGood(blocking),
    async close() {
      endForGood(blocking);
      await worker.close(true);
    },
  };
}

/** BullMQ puts a colon behind it. */
function toPrefix({ keyPrefix }: Pick<RedisLink, 'keyPrefix'>): string {
  return keyPrefix.slice(0, -1);
}

function createBackend({ client, keyPrefix }: RedisLink, blocking?: RedisClient) {
  // INFO, by which BullMQ learns the version, is among the commands that access control lists call dangerous.
  const version = { skipVersionCheck: true };
  const keys = new QueueKeys(toPrefix({ keyPrefix }));
  return (name: string, options: QueueBaseOptions): RedisQueueBackend => {
    const main = new RedisConnection(client, { shared: true, blocking: false, skipWaitingForReady: true, ...version });
    const second = blocking && new RedisConnection(blocking, { shared: false, blocking: true, ...version });
    const toKey = (type: string): string => keys.toKey(name, type);
    return new RedisQueueBackend(main, name, keys.getKeys(name), toKey, options, second);
  };
}
