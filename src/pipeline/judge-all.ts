/** What is said of committed versions at one look, each question answered once: they are many, and so are those who apply them. */
import { judgeUpdate, type UpdateVerdict } from '../reconcile/judge-update.ts';
import { type Applier, createApplierFinder } from '../reconcile/match-objects.ts';
import type { AwaitedUpdate } from './apply-outcome.ts';
import type { BranchLine } from './branch-line.ts';

export interface Judging {
  /** Who applies the files of the update. */
  findAppliers(awaited: Pick<AwaitedUpdate, 'files'>): readonly Applier[];
  judge(awaited: Pick<AwaitedUpdate, 'files' | 'commit'>): UpdateVerdict;
}

/** By these objects, and by the branch as it is known now. */
export function createJudging(appliers: readonly Applier[], line: Pick<BranchLine, 'lineageOf'>): Judging {
  const find = createApplierFinder(appliers);
  const known = new Map<readonly Applier[], Map<string, UpdateVerdict>>();
  return {
    findAppliers: ({ files }) => find(files),
    judge({ files, commit }) {
      const concerned = find(files);
      const verdicts = known.get(concerned) ?? new Map<string, UpdateVerdict>();
      known.set(concerned, verdicts);
      const verdict = verdicts.get(commit) ?? judgeUpdate(concerned, line.lineageOf(commit));
      verdicts.set(commit, verdict);
      return verdict;
    },
  };
}
