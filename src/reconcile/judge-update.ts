/** What all that apply a commit's files say of it together. */
import { type Judgement, judgeApplier, type Lineage } from './judge-applier.ts';
import type { Applier } from './match-objects.ts';
import { formatName, type ReconcilerName } from './reconciler-object.ts';

/** An object that is not there yet, and what it says. */
export interface LackingObject {
  readonly object: ReconcilerName;
  readonly said: string;
}

export type UpdateVerdict =
  /** Nothing applies it. */
  | { readonly kind: 'none' }
  /** All that is waited for has it; `commits` are those that the objects are at. */
  | {
      readonly kind: 'reached';
      readonly objects: readonly ReconcilerName[];
      readonly commits: readonly string[];
      readonly notes: readonly string[];
    }
  /** The first that says so. */
  | { readonly kind: 'failed'; readonly object: ReconcilerName; readonly commit: string; readonly message: string }
  /** `isExcused`: none of them is waited for. */
  | {
      readonly kind: 'pending';
      readonly lacking: readonly LackingObject[];
      readonly isExcused: boolean;
      readonly notes: readonly string[];
    };

/**
 * What they say of the commit together. Those with an excuse count only where all have one; `notes` tell of them.
 *
 * @example
 * judgeUpdate([], { commit: 'a1', descendants: new Set(['a1']) }) // { kind: 'none' }
 */
export function judgeUpdate(appliers: readonly Applier[], lineage: Lineage): UpdateVerdict {
  if (appliers.length === 0) return { kind: 'none' };
  const expected = appliers.filter(({ excuse }) => excuse === undefined);
  const isExcused = expected.length === 0;
  const judged = (isExcused ? appliers : expected).map(({ object, slots }) => {
    const { kind, namespace, name } = object;
    return { object: { kind, namespace, name }, judgement: judgeApplier({ object, slots }, lineage) };
  });
  const notes = appliers.flatMap(({ object, excuse }) =>
    excuse === undefined ? [] : [`${formatName(object)} is not waited for: ${excuse}`],
  );
  const failed = judged.find(({ judgement }) => judgement.kind === 'failed');
  if (failed?.judgement.kind === 'failed') {
    const { commit, message } = failed.judgement;
    return { kind: 'failed', object: failed.object, commit, message };
  }
  const lacking = judged.flatMap(({ object, judgement }) =>
    judgement.kind === 'pending' ? [{ object, said: judgement.said }] : [],
  );
  if (lacking.length > 0) return { kind: 'pending', lacking, isExcused, notes };
  const commits = [...new Set(judged.flatMap(({ judgement }) => findCommit(judgement)))];
  return { kind: 'reached', objects: judged.map(({ object }) => object), commits, notes };
}

function findCommit(judgement: Judgement): readonly string[] {
  return judgement.kind === 'pending' ? [] : [judgement.commit];
}
