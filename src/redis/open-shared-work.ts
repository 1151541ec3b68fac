/** All that several workers share through one Redis. */
import type { AnswerStore, HostPace, JobQueue, Ledger } from '../pipeline/job-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { openRedis, type RedisSettings } from './open-redis.ts';
import { createRedisAnswers } from './redis-answers.ts';
import { createRedisLedger } from './redis-ledger.ts';
import { createRedisPace } from './redis-pace.ts';
import { createRedisQueue } from './redis-queue.ts';

export interface SharedWork {
  readonly queues: { readonly passes: JobQueue; readonly scans: JobQueue };
  readonly pace: HostPace;
  readonly ledger: Ledger;
  readonly answers: AnswerStore;
  close(): Promise<void>;
}

/** Begins to connect; `clock` goes evenly. */
export function openSharedWork(
  settings: RedisSettings,
  { clock }: { readonly clock: Pick<Clock, 'nowMs'> },
): SharedWork {
  const { log } = settings;
  const link = openRedis(settings);
  const passes = createRedisQueue(link, { name: 'pass' });
  const scans = createRedisQueue(link, { name: 'scan' });
  return {
    queues: { passes, scans },
    pace: createRedisPace(link, { log }),
    ledger: createRedisLedger(link, { clock, log }),
    answers: createRedisAnswers(link, { log }),
    async close() {
      await Promise.all([passes.close(), scans.close()]);
      await link.close();
    },
  };
}
