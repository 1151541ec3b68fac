/** A queue of jobs that all workers share through Redis. */
import type { JobQueue } from '../pipeline/job-ports.ts';
import { createAlarmBell, createAlarmQueue } from './bull.ts';
import type { RedisLink } from './open-redis.ts';
import { createWishStore } from './wish-store.ts';
import { workOff } from './work-off.ts';

export interface RedisQueueOptions {
  /** `pass` or `scan`: letters. */
  readonly name: string;
  /** The jobs of a worker that was not heard of for so long are begun by another. Default 15 seconds. */
  readonly lockMs?: number;
}

/** The link stays open when the queue is closed. The workers' clocks are to agree within a second or so. */
export function createRedisQueue(link: RedisLink, { name, lockMs = 15_000 }: RedisQueueOptions): JobQueue {
  const wishes = createWishStore(link, name);
  const alarms = createAlarmQueue(link, name);
  return {
    async add(jobs, options) {
      const set = await wishes.add(jobs, options);
      await alarms.set(set, options);
    },
    async work(run, options) {
      if (options.signal.aborted) return;
      const bell = await createAlarmBell(link, name, lockMs);
      try {
        await workOff({ wishes, alarms, bell, lockMs }, run, options);
      } finally {
        await bell.close();
      }
    },
    count: (options) => wishes.count(options),
    close: () => alarms.close(),
  };
}
