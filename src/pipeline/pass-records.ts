/** What passes were like: for metrics, and for probes. */
import type { Problem } from '../error/problem.ts';
import type { WholeReport } from './commit-and-propose.ts';
import type { LeadTimes } from './lead-times.ts';
import type { Metrics, Sample } from './metrics-ports.ts';
import type { Clock } from './ports.ts';

/** What came of a pass: neither, where it was stopped on the way; both, where what it did was followed by a failure. */
export interface PassResult {
  readonly report?: WholeReport | undefined;
  readonly failure?: Problem | undefined;
}

/** Told of the passes that are made here. Never throws. */
export interface PassObserver {
  begin(subject: string): void;
  end(subject: string, result: PassResult): void;
  /** Another process makes the passes from now on: what the last ones here found is its to tell. */
  leave?(): void;
}

export interface PassRecords extends PassObserver {
  /** Of how many Yaml repos a pass ended here, whatever came of it. */
  countSeen(): number;
  /** How long the pass has been under way that began first, in milliseconds; 0 where none is. */
  findLongestMs(): number;
  /** Gauges of the last pass over each. */
  listSamples(): readonly Sample[];
}

export interface RecordOptions {
  readonly metrics: Pick<Metrics, 'count' | 'observe'>;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly leadTimes: Pick<LeadTimes, 'settle'>;
  /** What was found so long ago counts no more: another worker makes the passes over that Yaml repo. */
  readonly forgetMs: number;
}

/** Of one Yaml repo. */
interface Known {
  readonly endedMs: number;
  /** What the last pass found that did not fail, and when it was over by the wall's clock. */
  readonly found: { readonly report: WholeReport; readonly wallMs: number } | undefined;
  readonly failure: Problem | undefined;
}

/** Nothing is known at first. */
export function createPassRecords(
  subjects: readonly string[],
  { metrics, clock, leadTimes, forgetMs }: RecordOptions,
): PassRecords {
  const begun = new Map<string, number>();
  const seen = new Set<string>();
  const known = new Map<string, Known>();
  // A rate needs a value before the first one counts.
  for (const repo of subjects) {
    for (const outcome of outcomes) metrics.count('tallyman_passes_total', { repo, outcome }, 0);
    metrics.count('tallyman_push_retries_total', { repo }, 0);
  }
  return {
    begin: (subject) => void begun.set(subject, clock.nowMs()),
    end(repo, { report, failure }) {
      const endedMs = clock.nowMs();
      const beganMs = begun.get(repo) ?? endedMs;
      begun.delete(repo);
      if (report === undefined && failure === undefined) return;
      seen.add(repo);
      const outcome = failure !== undefined ? 'failed' : judge(report);
      metrics.count('tallyman_passes_total', { repo, outcome });
      metrics.observe('tallyman_pass_duration_seconds', { repo }, (endedMs - beganMs) / 1000);
      if (report !== undefined) countReport(metrics, repo, report);
      for (const ms of report === undefined ? [] : leadTimes.settle(repo, { report, beganMs }).values())
        metrics.observe('tallyman_seen_to_commit_seconds', { repo }, ms / 1000);
      const found = report === undefined ? known.get(repo)?.found : { report, wallMs: clock.wallMs() };
      known.set(repo, { endedMs, found, failure });
    },
    countSeen: () => seen.size,
    findLongestMs: () => Math.max(0, ...[...begun.values()].map((beganMs) => clock.nowMs() - beganMs)),
    listSamples: () =>
      [...known]
        .filter(([, { endedMs }]) => clock.nowMs() - endedMs < forgetMs)
        .flatMap(([repo, about]) => toSamples(repo, about)),
  };
}

const outcomes = ['committed', 'proposed', 'unchanged', 'failed'] as const;

function judge(report: WholeReport | undefined): (typeof outcomes)[number] {
  if (report?.commit !== undefined) return 'committed';
  const isNew = report?.proposals.some(({ state }) => state === 'opened' || state === 'updated') === true;
  return isNew ? 'proposed' : 'unchanged';
}

function countReport(metrics: Pick<Metrics, 'count'>, repo: string, { commits, tries }: WholeReport): void {
  for (const { policy } of commits.flatMap(({ updates }) => updates))
    metrics.count('tallyman_updates_total', { repo, policy });
  metrics.count('tallyman_push_retries_total', { repo }, Math.max(0, tries - 1));
}

function toSamples(repo: string, { found, failure }: Known): readonly Sample[] {
  const report = found?.report;
  const problems = [...(report?.problems ?? []), ...(failure === undefined ? [] : [failure])];
  const codes = [...new Set(problems.map(({ code }) => code))];
  const counted = codes.map((code): Sample => {
    const value = problems.filter((problem) => problem.code === code).length;
    return { name: 'tallyman_problems', labels: { repo, code }, value };
  });
  if (found === undefined || report === undefined) return counted;
  const held = problems.filter(({ code }) => code === 'ImageHeld').map(({ policy }) => policy);
  const waiting = report.selections.filter(({ kind }) => kind === 'waiting').map(({ policy }) => policy);
  return [
    ...counted,
    { name: 'tallyman_last_pass_timestamp_seconds', labels: { repo }, value: found.wallMs / 1000 },
    { name: 'tallyman_policies', labels: { repo }, value: report.policies.length },
    { name: 'tallyman_policies_held', labels: { repo }, value: new Set(held).size },
    { name: 'tallyman_policies_waiting', labels: { repo }, value: new Set(waiting).size },
  ];
}
