/** Whether the daemon is alive, and ready: for whoever restarts it, and sends it webhooks. */
import type { JobQueue } from './job-ports.ts';
import type { PassRecords } from './pass-records.ts';

/** Why not, in one sentence without a full stop; undefined where all is well. */
export interface Probes {
  whyNotAlive(): string | undefined;
  whyNotReady(): Promise<string | undefined>;
}

export interface ProbeOptions {
  readonly records: Pick<PassRecords, 'findLongestMs' | 'countSeen'>;
  /** How many Yaml repos there are. */
  readonly repoCount: number;
  /** No pass takes so long: everything that it waits for ends sooner. */
  readonly stalledMs: number;
  /** Where others make passes too: then ready is who reaches it, and can add to it. */
  readonly sharedQueue: Pick<JobQueue, 'count'> | undefined;
}

/** Longest wait for the queue. */
const queueMs = 2000;

export function createProbes({ records, repoCount, stalledMs, sharedQueue }: ProbeOptions): Probes {
  return {
    whyNotAlive() {
      const longestMs = records.findLongestMs();
      if (longestMs <= stalledMs) return undefined;
      return `a pass has been under way for ${Math.round(longestMs / 1000)} s, at most ${stalledMs / 1000} s were wanted`;
    },
    async whyNotReady() {
      if (sharedQueue !== undefined) return await findQueueFault(sharedQueue);
      const left = repoCount - records.countSeen();
      return left === 0 ? undefined : `the first pass over ${left} of ${repoCount} Yaml repos is not done yet`;
    },
  };
}

/** Its own words name places that not everybody is to know who may ask. */
async function findQueueFault(queue: Pick<JobQueue, 'count'>): Promise<string | undefined> {
  try {
    await queue.count({ signal: AbortSignal.timeout(queueMs) });
    return undefined;
  } catch {
    return 'the queue cannot be reached, or takes nothing; the log says why';
  }
}
