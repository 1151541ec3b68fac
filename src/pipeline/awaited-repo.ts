/** What is known of one Yaml repo, and waited for. */
import type { Problem } from '../error/problem.ts';
import type { WatchedBranch } from '../reconcile/match-objects.ts';
import { listInherited, listMerged } from './adopt-updates.ts';
import type { AwaitedUpdate } from './apply-outcome.ts';
import type { BranchLine } from './branch-line.ts';
import type { WholeReport } from './commit-and-propose.ts';
import { findObject, type findObjects } from './list-events.ts';
import type { Clock, RepoHistory, YamlRepo } from './ports.ts';
import type { Requester } from './request-reconcilers.ts';
import type { Pending } from './settle-update.ts';

/** A Yaml repo whose commits are waited for. */
export interface AwaitedRepo extends Pick<WatchedBranch, 'url' | 'isDefault' | 'named'> {
  readonly subject: string;
  readonly repo: YamlRepo & RepoHistory;
}

/** With what is known of it. */
export interface Awaiting extends AwaitedRepo {
  readonly line: BranchLine;
  readonly requester: Requester;
  readonly tellProblem: (problem: Problem | undefined) => void;
  pending: Pending[];
  /** As the last pass found it, or left it; undefined before one. */
  branch: string | undefined;
  tip: string | undefined;
  /** What policies are written as, by their keys, as the last pass found them. */
  objects: ReturnType<typeof findObjects>;
  /** Keys of policies whose changes are proposed, as the last pass found them. */
  proposed: ReadonlySet<string>;
  /** Up to that commit it was looked for what others committed; undefined before this process looked, or looked since it leads. */
  lookedTo: string | undefined;
}

/** Nothing was looked at yet. */
export const newTerm: Pick<Awaiting, 'pending' | 'branch' | 'tip' | 'lookedTo'> = {
  pending: [],
  branch: undefined,
  tip: undefined,
  lookedTo: undefined,
};

/** What a pass committed, each policy's version once for each commit. */
export function listAwaited(
  { subject, objects }: Pick<Awaiting, 'subject' | 'objects'>,
  report: Pick<WholeReport, 'commits'>,
  { spans, nowMs }: { spans: ReadonlyMap<string, number>; nowMs: number },
): readonly AwaitedUpdate[] {
  return report.commits.flatMap(({ commit, updates, edits }) => {
    const byPolicy = new Map(updates.map((update) => [`${update.policy} ${update.to}`, update]));
    return [...byPolicy.values()].map((update): AwaitedUpdate => {
      const places = edits.filter((edit) => edit.update.policy === update.policy && edit.update.to === update.to);
      const span = spans.get(update.image);
      return {
        subject,
        commit,
        update,
        about: findObject(update.policy, objects),
        files: [...new Set(places.map(({ file }) => file))],
        seenMs: span === undefined ? undefined : nowMs - span,
        madeMs: nowMs,
      };
    });
  });
}

/** What others committed: shortly before this process began, and is not applied yet, or since the last look, by a merge. */
export async function adopt(
  watched: Awaiting,
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const { repo, line, subject, objects, proposed, lookedTo } = watched;
  if (lookedTo !== undefined && proposed.size === 0) {
    watched.lookedTo = watched.tip;
    return;
  }
  const known = watched.pending.map(({ awaited }) => awaited.commit);
  await line.read(lookedTo === undefined ? known : [...known, lookedTo], { signal });
  if (line.list()[0]?.id === lookedTo) return;
  const tools = { repo, line, clock, signal };
  const isInherited = lookedTo === undefined;
  const adopted = isInherited
    ? await listInherited({ maxAgeMs: timeoutMs, known: new Set(known) }, tools)
    : await listMerged({ since: lookedTo, policies: proposed }, tools);
  const found = adopted.map((one): Pending => {
    const about = findObject(one.update.policy, objects);
    const awaited = { ...one, subject, about, seenMs: undefined };
    return { awaited, deadlineMs: one.madeMs + timeoutMs, isTold: false, isInherited };
  });
  watched.lookedTo = line.list()[0]?.id;
  watched.pending = [...found, ...watched.pending];
}
