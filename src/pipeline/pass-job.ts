/** The job that makes a pass over one Yaml repo. */
import { type Problem, toProblem } from '../error/problem.ts';
import { commitAndPropose, type WholeReport } from './commit-and-propose.ts';
import type { NamedRepo } from './find-concerned.ts';
import type { ImageInterest } from './image-interest.ts';
import type { JobOutcome, JobQueue, RunJob } from './job-ports.ts';
import type { PassObserver } from './pass-records.ts';
import type { Clock, Log } from './ports.ts';
import type { ProposingContext } from './proposing-context.ts';
import { requestScan } from './scan-job.ts';
import { createProblemTeller, type ProblemTeller, tellReport } from './tell-report.ts';

/** A Yaml repo that is watched. */
export interface WatchedRepo extends NamedRepo {
  readonly context: ProposingContext;
}

export interface PassJobOptions {
  /** Between the end of one pass and the start of the next; each varies by a tenth. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly interest: Pick<ImageInterest, 'learn'>;
  /** Where scans of the images that policies want are added. */
  readonly scans: Pick<JobQueue, 'add'>;
  /** Told of each pass. */
  readonly observers?: readonly PassObserver[];
}

const maxBackoffMs = 15 * 60_000;
/** What waits for a time is not tried again sooner, whatever clocks do. */
const minRestMs = 1000;

/** Between two passes over one Yaml repo, also after failures. */
export function findLongestPauseMs(intervalMs: number): number {
  return 1.1 * Math.max(intervalMs, maxBackoffMs);
}

interface Tellers {
  /** Of what a pass found. */
  readonly found: ProblemTeller;
  /** Of why there was none. */
  readonly failed: ProblemTeller;
}

/** A pass that fails is told and made again, later each time. A subject that is none of these repos is let go. */
export function createPassJob(repos: readonly WatchedRepo[], options: PassJobOptions): RunJob {
  const { intervalMs, clock, log, observers = [] } = options;
  /** When the first of the passes failed that have failed since; by subject. */
  const failing = new Map<string, number>();
  const watched = new Map(
    repos.map((repo) => {
      const tellers: Tellers = { found: createProblemTeller(log), failed: createProblemTeller(log) };
      return [repo.subject, { repo, tellers }] as const;
    }),
  );
  const vary = (ms: number) => Math.max(0, ms) * (0.9 + 0.2 * clock.random());
  return async ({ subject }, { signal }): Promise<JobOutcome> => {
    const { repo, tellers } = watched.get(subject) ?? {};
    if (repo === undefined || tellers === undefined) return { againMs: undefined };
    let [report, failure]: [WholeReport | undefined, Problem | undefined] = [undefined, undefined];
    for (const observer of observers) observer.begin(subject);
    try {
      report = await makePass(repo, { ...options, signal, tellers });
      failing.delete(subject);
      // What it committed before it was stopped is told all the same; whoever is there makes the rest.
      if (signal.aborted) return { againMs: 0 };
      // What fails here is the queue: what the pass did is done.
      await options.scans.add(report.questions.map(requestScan), { signal });
      // What waits for its age is written when it has it.
      const restMs =
        report.wakeMs === undefined ? Number.POSITIVE_INFINITY : Math.max(minRestMs, report.wakeMs - clock.nowMs());
      return { againMs: Math.min(vary(intervalMs), restMs) };
    } catch (error) {
      // Stopped on the way: whoever is there makes it.
      if (signal.aborted) return { againMs: 0 };
      failure = toProblem(error);
      tellers.failed.tell([failure]);
      // As long again as it has been failing: passes that webhooks ask for meanwhile do not put the next one off.
      const sinceMs = failing.get(subject) ?? clock.nowMs();
      failing.set(subject, sinceMs);
      const backoffMs = Math.min(clock.nowMs() - sinceMs, maxBackoffMs);
      return { againMs: vary(Math.max(intervalMs, backoffMs)) };
    } finally {
      for (const observer of observers) observer.end(subject, { report, failure });
    }
  };
}

async function makePass(
  { subject, context }: WatchedRepo,
  { log, interest, tellers, signal }: PassJobOptions & { tellers: Tellers; signal: AbortSignal },
): Promise<WholeReport> {
  const report = await commitAndPropose(context, { signal });
  tellReport(report, log, tellers.found);
  tellers.failed.tell([]);
  interest.learn(
    subject,
    report.questions.map(({ repository }) => repository),
  );
  return report;
}
