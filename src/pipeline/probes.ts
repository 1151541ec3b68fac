/** Whether the daemon is alive, and ready: for whoever restarts it, and sends it webhooks. */
import type { Leadership } from './cluster-ports.ts';
import type { JobQueue } from './job-ports.ts';
import type { PassRecords } from './pass-records.ts';

/** Why not, in one sentence without a full stop; undefined where all is well. */
export interface Probes {
  whyNotAlive(): string | undefined;
  whyNotReady(): Promise<string | undefined>;
  /** What it is ready for: to work, or to take over. */
  readyAs(): 'ready' | 'standby';
}

export interface ProbeOptions {
  readonly records: Pick<PassRecords, 'findLongestMs' | 'countSeen'>;
  /** How many Yaml repos there are. */
  readonly repoCount: number;
  /** No pass takes so long: everything that it waits for ends sooner. */
  readonly stalledMs: number;
  /** Where others make passes too: then ready is who reaches it, and can add to it. */
  readonly sharedQueue: Pick<JobQueue, 'count'> | undefined;
  /** Where one of several works: the others are ready once they know of it. */
  readonly leadership: Pick<Leadership, 'findLeader'> | undefined;
}

/** Longest wait for the queue. */
const queueMs = 2000;

export function createProbes({ records, repoCount, stalledMs, sharedQueue, leadership }: ProbeOptions): Probes {
  /** Whoever was told ready stays it: a replica that takes over is not to drop out of its Service meanwhile. */
  let wasStandby = false;
  return {
    whyNotAlive() {
      const longestMs = records.findLongestMs();
      if (longestMs <= stalledMs) return undefined;
      return `a pass has been under way for ${Math.round(longestMs / 1000)} s, at most ${stalledMs / 1000} s were wanted`;
    },
    async whyNotReady() {
      const leader = leadership?.findLeader();
      if (leadership !== undefined && leader === undefined)
        return 'it is not known yet which replica leads; the log says why';
      if (sharedQueue !== undefined) return await findQueueFault(sharedQueue);
      wasStandby ||= leader !== undefined && leader.kind !== 'self';
      if (wasStandby) return undefined;
      const left = repoCount - records.countSeen();
      return left === 0 ? undefined : `the first pass over ${left} of ${repoCount} Yaml repos is not done yet`;
    },
    readyAs: () => (leadership === undefined || leadership.findLeader()?.kind === 'self' ? 'ready' : 'standby'),
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
