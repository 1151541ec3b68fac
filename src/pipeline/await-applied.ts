/** Waits, after each commit, until the cluster's reconcilers have applied it; in between it tells them that there is something to apply. */
import { type Problem, toProblem } from '../error/problem.ts';
import { listReported, type MatchedObjects, matchObjects } from '../reconcile/match-objects.ts';
import { type ApplyOutcome, tellOver } from './apply-outcome.ts';
import { type AwaitedRepo, type Awaiting, adopt, listAwaited, newTerm } from './awaited-repo.ts';
import { createBell } from './bell.ts';
import { createBranchLine } from './branch-line.ts';
import type { Reconcilers } from './cluster-ports.ts';
import { createJudging, type Judging } from './judge-all.ts';
import { createLeadTimes } from './lead-times.ts';
import { findObjects } from './list-events.ts';
import type { Metrics } from './metrics-ports.ts';
import type { PassObserver } from './pass-records.ts';
import type { Clock } from './ports.ts';
import { isProposed } from './proposing-context.ts';
import { createRequester } from './request-reconcilers.ts';
import { lingerMs, type Pending, settleUpdate } from './settle-update.ts';

export interface AwaitOptions {
  readonly reconcilers: Reconcilers;
  readonly clock: Clock;
  /** So long a reconciler has to say something of a commit. */
  readonly timeoutMs: number;
  readonly metrics: Pick<Metrics, 'count'>;
  readonly tell: (outcome: ApplyOutcome) => void;
  /** Tells what keeps a part of the work from being done; undefined once nothing does. */
  readonly createTeller: () => (problem: Problem | undefined) => void;
  /** Whether all passes are made here, so that nobody else waits for what others committed: it is looked for in Git. */
  readonly isAlone: boolean;
}

/** Told of passes and looks. */
export interface AppliedWatch extends PassObserver {
  /** A look saw the tags of the repository change (canonical name), now. */
  see(repository: string): void;
  /** Works until the signal aborts. Never throws. */
  run(options: { signal: AbortSignal }): Promise<void>;
}

/** Changes come in bursts: what comes within that time is looked at together. */
const burstMs = 200;
/** The same for what is known to have failed, and may stay so for long while a large cluster changes all the time. */
const restMs = 5000;
const retryMs = 5000;
/** The cluster or the Yaml repo cannot be asked: what is late is judged so much later. */
const putOffMs = 30_000;
const idleMs = 3_600_000;
/** More are forgotten, the oldest first. */
const maxPending = 1000;

/** Nothing is waited for at first. */
export function createAppliedWatch(repos: readonly AwaitedRepo[], options: AwaitOptions): AppliedWatch {
  const { reconcilers, clock, createTeller, isAlone } = options;
  const { nowMs } = clock;
  const begun = new Map<string, number>();
  const times = createLeadTimes(
    repos.map(({ subject }) => subject),
    { nowMs, isAlone },
  );
  const watched = new Map(
    repos.map((repo): [string, Awaiting] => [
      repo.subject,
      {
        ...repo,
        line: createBranchLine(repo.repo, clock),
        requester: createRequester({ ...options, tell: createTeller() }),
        tellProblem: createTeller(),
        objects: new Map(),
        proposed: new Set(),
        ...newTerm,
      },
    ]),
  );
  const bell = createBell(clock);

  async function step(signal: AbortSignal): Promise<number> {
    const dues = [...watched.values()].map(async (repo) => {
      try {
        const dueMs = await visitRepo(repo, options, signal);
        repo.tellProblem(undefined);
        return dueMs;
      } catch (error) {
        if (!signal.aborted) repo.tellProblem(toProblem(error));
        return nowMs() + retryMs;
      }
    });
    return Math.min(...(await Promise.all(dues)), nowMs() + idleMs);
  }

  const findPauseMs = (): number => {
    const isAwaited = [...watched.values()].some(({ pending }) => pending.some(({ isTold }) => !isTold));
    return isAwaited ? burstMs : restMs;
  };

  return {
    see: times.see,
    begin: (subject) => void begun.set(subject, nowMs()),
    end(subject, { report }) {
      const repo = watched.get(subject);
      const beganMs = begun.get(subject) ?? nowMs();
      if (repo === undefined || report === undefined) return;
      repo.branch = report.snapshot.branch;
      repo.objects = findObjects(report);
      repo.proposed = new Set(report.policies.filter(isProposed).map(({ key }) => key));
      repo.tip = report.commit ?? report.snapshot.commit;
      repo.line.advance(repo.tip);
      const spans = times.settle(subject, { report, beganMs });
      const deadlineMs = nowMs() + options.timeoutMs;
      const added = listAwaited(repo, report, { spans, nowMs: nowMs() }).map(
        (awaited): Pending => ({ awaited, deadlineMs, isTold: false, isInherited: false }),
      );
      repo.pending = [...repo.pending, ...added];
      bell.ring('loudly');
    },
    leave() {
      // Who takes over inherits what was waited for; the next term here inherits from them, once a pass has seen the branch.
      for (const repo of watched.values()) Object.assign(repo, newTerm);
    },
    async run({ signal }) {
      reconcilers.onChange(() => bell.ring('softly'));
      while (!signal.aborted) {
        const untilMs = await step(signal);
        await bell.wait(untilMs, { findPauseMs, signal });
      }
    },
  };
}

/** Does what is to be done for the Yaml repo now; when there is something to do again, by the clock. */
async function visitRepo(watched: Awaiting, options: AwaitOptions, signal: AbortSignal): Promise<number> {
  const { branch, line, repo } = watched;
  if (branch === undefined) return Number.POSITIVE_INFINITY;
  if (options.isAlone) await adopt(watched, { ...options, signal });
  if (watched.pending.length === 0) return Number.POSITIVE_INFINITY;
  const { reconcilers, clock } = options;
  const commits = watched.pending.map(({ awaited }) => awaited.commit);
  await line.read(commits, { signal });
  const matched = matchObjects(reconcilers.list(), { ...watched, branch });
  if (watched.pending.some(({ isTold }) => !isTold)) await line.catchUp(listReported(matched), commits, { signal });
  const tools = { repo, line, reconcilers, nowMs: clock.nowMs, signal };
  const judging = createJudging(matched.appliers, line);
  let fault: { readonly error: unknown } | undefined;
  for (const pending of [...watched.pending]) {
    try {
      const { outcome, isOver } = await settleUpdate(pending, { judging, others: watched.pending }, tools);
      if (outcome !== undefined) options.tell(outcome);
      if (isOver) watched.pending = watched.pending.filter((other) => other !== pending);
    } catch (error) {
      fault ??= { error };
      // Who cannot be asked about one is not asked about the others either.
      putOffLate(watched.pending, clock.nowMs());
    }
  }
  for (const { awaited } of watched.pending.slice(0, -maxPending))
    options.tell(tellOver(awaited, { kind: 'unknown', reason: 'too many are waited for' }, clock.nowMs()));
  watched.pending = watched.pending.slice(-maxPending);
  const askAgainMs = await sendRequests(watched, { sources: matched.sources, judging }, { signal });
  if (fault !== undefined) throw fault.error;
  return Math.min(askAgainMs, ...watched.pending.map(findDue));
}

async function sendRequests(
  { pending, line, requester }: Awaiting,
  { sources, judging }: Pick<MatchedObjects, 'sources'> & { judging: Judging },
  options: { signal: AbortSignal },
): Promise<number> {
  const commits = new Set(pending.map(({ awaited }) => awaited.commit));
  const newest = line.list().find(({ id }) => commits.has(id))?.id ?? pending.at(-1)?.awaited.commit;
  if (newest === undefined) return Number.POSITIVE_INFINITY;
  const lists = new Set(pending.map(({ awaited }) => judging.findAppliers(awaited)));
  const concerned = new Set([...lists].flat());
  const errand = { sources, appliers: [...concerned], lineage: line.lineageOf(newest) };
  return await requester.send(errand, options);
}

function putOffLate(pending: readonly Pending[], nowMs: number): void {
  for (const one of pending) if (!one.isTold && one.deadlineMs <= nowMs) one.deadlineMs = nowMs + putOffMs;
}

function findDue({ isTold, deadlineMs, awaited }: Pending): number {
  return isTold ? awaited.madeMs + lingerMs : deadlineMs;
}
