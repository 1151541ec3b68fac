/** The daemon's work: passes over Yaml repos and looks at image repositories, each at its own time. */
import { toProblem } from '../error/problem.ts';
import type { Hint } from '../webhook/delivery.ts';
import { findConcerned } from './find-concerned.ts';
import { createImageInterest } from './image-interest.ts';
import type { JobQueue, RunJob } from './job-ports.ts';
import { createPassJob, type PassJobOptions, type WatchedRepo } from './pass-job.ts';
import type { ImagePoller } from './poll-images.ts';
import type { Log } from './ports.ts';
import { createScanJob } from './scan-job.ts';
import { createProblemTeller, tellProblem } from './tell-report.ts';

export interface Queues {
  readonly passes: JobQueue;
  readonly scans: JobQueue;
}

export interface WorkerOptions extends Omit<PassJobOptions, 'interest' | 'scans'> {
  readonly queues: Queues;
  /** Refreshed by nobody else. */
  readonly poller: ImagePoller;
  /** From something new to the pass for it: what comes in the meantime goes with it. */
  readonly batchMs: number;
  /** Passes here at the same time, over different Yaml repos. */
  readonly passConcurrency: number;
  readonly scanConcurrency: number;
  /** How long what is under way has to end well. */
  readonly drainMs: number;
}

export interface Worker {
  /** Works until the signal aborts; resolves once nothing is under way. May be called again then. */
  run(options: { signal: AbortSignal }): Promise<void>;
  /**
   * Has passes made as soon as may be for what a webhook said, and one more where one is under way; over how many Yaml repos.
   * Throws QueueUnavailable.
   */
  takeHint(hint: Hint, options: { signal: AbortSignal }): Promise<number>;
  /** Has passes made as soon as may be, and what failed asked for again: credentials have changed. Never throws. */
  tryAgain(options: { signal: AbortSignal }): void;
}

/** One of those that share the queues; alone where the queues are embedded. */
export function createWorker(repos: readonly WatchedRepo[], options: WorkerOptions): Worker {
  const { queues, poller, clock, log, batchMs, drainMs } = options;
  const subjects = repos.map(({ subject }) => subject);
  const interest = createImageInterest(subjects, { clock, maxAgeMs: 3 * options.intervalMs });
  const passJob = tellDefects(createPassJob(repos, { ...options, interest, scans: queues.scans }), log);
  const scanJob = tellDefects(createScanJob({ tags: poller.tags, clock }), log);
  const request = (subject: string) => ({ subject, delayMs: batchMs, urgent: true });
  /** What cannot be told to the queue is found by the next pass. */
  const ask = (subjectsNow: readonly string[], signal: AbortSignal): void => {
    queues.passes.add(subjectsNow.map(request), { signal }).catch((error: unknown) => {
      if (!signal.aborted) teller.tell([toProblem(error)]);
    });
  };
  const teller = createProblemTeller(log);

  /** What a lost queue has lost is there again after one interval. */
  async function topUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const jobs = subjects.map((subject) => ({ subject, delayMs: 0, urgent: false, ifAbsent: true }));
        await queues.passes.add(jobs, { signal });
        teller.tell([]);
      } catch (error) {
        if (!signal.aborted) teller.tell([toProblem(error)]);
      }
      await clock.sleep(options.intervalMs, { signal });
    }
  }

  return {
    async takeHint(hint, { signal }) {
      const concerned = await findConcerned(hint, { repos, poller, interest });
      await queues.passes.add(concerned.map(request), { signal });
      return concerned.length;
    },
    tryAgain({ signal }) {
      poller.expectFailed();
      ask(subjects, signal);
    },
    async run({ signal }) {
      const { passConcurrency, scanConcurrency } = options;
      const unwatch = poller.watch((repository) => {
        ask(interest.concerned(repository), signal);
      });
      await Promise.all([
        queues.passes.work(passJob, { concurrency: passConcurrency, drainMs, signal }),
        queues.scans.work(scanJob, { concurrency: scanConcurrency, drainMs, signal }),
        topUp(signal),
      ]).finally(unwatch);
    },
  };
}

/** What a job throws is a defect: one line of the log each time; it is the queue that has it run again. */
function tellDefects(run: RunJob, log: Log): RunJob {
  return async (job, options) => {
    try {
      return await run(job, options);
    } catch (error) {
      tellProblem(log, toProblem(error));
      throw error;
    }
  };
}
