/** Whether a committed version is applied, at one look. */

import { judgeUpdate, type UpdateVerdict } from '../reconcile/judge-update.ts';
import type { Applier } from '../reconcile/match-objects.ts';
import { formatName, type ReconcilerObject } from '../reconcile/reconciler-object.ts';
import { type ApplyOutcome, type AwaitedUpdate, tellApplied, tellFailed, tellLate, tellOver } from './apply-outcome.ts';
import type { BranchLine } from './branch-line.ts';
import type { Reconcilers } from './cluster-ports.ts';
import { holdsVersion } from './holds-version.ts';
import type { Judging } from './judge-all.ts';
import type { RepoHistory, YamlRepo } from './ports.ts';

/** An update that is waited for, and what was told of it. */
export interface Pending {
  readonly awaited: AwaitedUpdate;
  /** By the clock; put off where the cluster cannot be asked. */
  deadlineMs: number;
  /** That it is not applied: it is waited for all the same, but not asked about again. */
  isTold: boolean;
  /** It was committed before this process began, and what became of it by then was told by whoever was there. */
  isInherited: boolean;
}

export interface SettleTools {
  readonly repo: Pick<YamlRepo, 'fetch' | 'readBlobs'> & Pick<RepoHistory, 'findFiles'>;
  readonly line: BranchLine;
  readonly reconcilers: Pick<Reconcilers, 'isKnown' | 'fetch'>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** `outcome`: to be told. `isOver`: it is not waited for any longer. */
export interface Settled {
  readonly outcome: ApplyOutcome | undefined;
  readonly isOver: boolean;
}

const waiting: Settled = { outcome: undefined, isOver: false };
const forgotten: Settled = { outcome: undefined, isOver: true };
/** What failed is waited for that long since its commit. */
export const lingerMs = 24 * 3_600_000;

/** Judges by what is known, and before it tells that nothing came asks anew. Throws what keeps the Yaml repo from being read. */
export async function settleUpdate(
  pending: Pending,
  { judging, others }: { readonly judging: Judging; readonly others: readonly Pending[] },
  tools: SettleTools,
): Promise<Settled> {
  const { awaited } = pending;
  const verdict = judging.judge(awaited);
  if (pending.isInherited && verdict.kind !== 'none') {
    if (verdict.kind === 'reached') return forgotten;
    Object.assign(pending, { isInherited: false, isTold: verdict.kind === 'failed' });
  }
  if (verdict.kind === 'reached') return await settleReached(awaited, { verdict, others }, tools);
  if (pending.isTold) return tools.nowMs() < awaited.madeMs + lingerMs ? waiting : forgotten;
  if (verdict.kind === 'failed') {
    pending.isTold = true;
    return { outcome: tellFailed(awaited, verdict, tools.nowMs()), isOver: false };
  }
  if (verdict.kind === 'none' && tools.reconcilers.isKnown()) return forgotten;
  if (tools.nowMs() < pending.deadlineMs) return waiting;
  return await settleLate(pending, { verdict, judging, others }, tools);
}

async function settleReached(
  awaited: AwaitedUpdate,
  { verdict, others }: { verdict: Extract<UpdateVerdict, { kind: 'reached' }>; others: readonly Pending[] },
  tools: SettleTools,
): Promise<Settled> {
  const later = verdict.commits.filter((commit) => commit !== awaited.commit);
  for (const commit of later) {
    const isReplaced = others.some(
      (other) =>
        other.awaited.update.policy === awaited.update.policy &&
        other.awaited.commit !== awaited.commit &&
        tools.line.lineageOf(awaited.commit).descendants.has(other.awaited.commit) &&
        tools.line.lineageOf(other.awaited.commit).descendants.has(commit),
    );
    if (isReplaced || !(await stands(awaited, commit, tools))) {
      const reason = `${commit.slice(0, 12)} was applied instead, which has another version`;
      return { outcome: tellOver(awaited, { kind: 'superseded', reason }, tools.nowMs()), isOver: true };
    }
  }
  return { outcome: tellApplied(awaited, verdict, tools.nowMs()), isOver: true };
}

/** Whether the version is still in one of its files at the later commit: a person may have taken it away. */
async function stands({ update, files }: AwaitedUpdate, commit: string, tools: SettleTools): Promise<boolean> {
  // Where it was written is not known: then nobody says that it is there.
  if (files.length === 0) return false;
  const { signal } = tools;
  const oids = await tools.repo.findFiles(commit, files, { signal });
  const blobs = await tools.repo.readBlobs(new Set(oids.values()), { signal });
  return [...blobs.values()].some((bytes) => holdsVersion(bytes, update.to));
}

/** The time is over: what is lacking is asked for anew, for a watch may have been silent, and the branch may have gone on. */
async function settleLate(
  pending: Pending,
  { verdict: known, judging, others }: { verdict: UpdateVerdict; judging: Judging; others: readonly Pending[] },
  tools: SettleTools,
): Promise<Settled> {
  const { awaited } = pending;
  const { nowMs, line, signal } = tools;
  const end = (reason: string): Settled => ({
    outcome: tellOver(awaited, { kind: 'unknown', reason }, nowMs()),
    isOver: true,
  });
  if (known.kind !== 'pending') return end('what applies it could not be listed');
  if (known.isExcused) return end(known.notes.join('; '));
  try {
    line.advance((await tools.repo.fetch({ signal })).commit);
    await line.read([awaited.commit], { signal });
    const lacking = new Set(known.lacking.map(({ object }) => formatName(object)));
    const fresh = await Promise.all(
      judging.findAppliers(awaited).map(async (applier) => {
        if (!lacking.has(formatName(applier.object))) return [applier];
        const { kind, namespace, name } = applier.object;
        const object = await tools.reconcilers.fetch({ kind, namespace, name }, { signal });
        return isApplying(object) ? [{ ...applier, object }] : [];
      }),
    );
    const verdict = judgeUpdate(fresh.flat(), line.lineageOf(awaited.commit));
    if (verdict.kind === 'reached') return await settleReached(awaited, { verdict, others }, tools);
    if (verdict.kind === 'none') return end('what applied it is gone');
    if (!line.has(awaited.commit)) return end('the branch does not have the commit any more');
    pending.isTold = true;
    const outcome =
      verdict.kind === 'failed' ? tellFailed(awaited, verdict, nowMs()) : tellLate(awaited, verdict, nowMs());
    return { outcome, isOver: false };
  } catch (error) {
    if (nowMs() > awaited.madeMs + lingerMs) return end('the cluster cannot be asked');
    throw error;
  }
}

function isApplying(object: ReconcilerObject | undefined): object is Applier['object'] {
  return object !== undefined && object.kind !== 'GitRepository';
}
