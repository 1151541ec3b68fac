/** How far back one has to read: a commit of ours knew all that came before the commit that it was made for. */
import type { CommitMarks } from './marks.ts';

/** A commit that says something of policies. */
export interface MarkedCommit {
  readonly id: string;
  /** Milliseconds since 1970, UTC. */
  readonly whenMs: number;
  readonly marks: CommitMarks;
}

/** One that stands in a list of commits. */
export interface PlacedCommit extends MarkedCommit {
  /** Of the list, from 0. */
  readonly position: number;
  /** From that position of the list on, nothing is new to it; Infinity where that is not known. */
  readonly knownFrom: number;
}

interface LinkedCommit {
  readonly id: string;
  readonly parents: readonly string[];
}

/**
 * The marked ones among the commits, which are all, newest first, a parent never before its child. Where histories of several
 * lines were merged, a commit knew one of them: its knowledge counts from where all lines are one again. What came in by a
 * cherry-pick knew another branch's past. A message that names two bases is of several commits, one without is older than
 * these lines and was made for its parent if it names a plan; any other is a person's who quotes one.
 */
export function placeCommits(
  marked: readonly MarkedCommit[],
  commits: readonly LinkedCommit[],
): readonly PlacedCommit[] {
  const positions = new Map(commits.map(({ id }, index) => [id, index]));
  const joints = findJoints(commits);
  return marked.map((commit): PlacedCommit => {
    const position = positions.get(commit.id) ?? 0;
    const { bases, plans } = commit.marks;
    const isOld = bases.length === 0 && plans.length > 0;
    const [base, ...more] = new Set(isOld ? commits[position]?.parents : bases);
    const knownFrom = base === undefined || more.length > 0 ? undefined : joints.get(base);
    return { ...commit, position, knownFrom: knownFrom ?? Number.POSITIVE_INFINITY };
  });
}

/** For each commit the first position, its own or behind it, at which there is one line of history; also for one just behind the end. */
function findJoints(commits: readonly LinkedCommit[]): ReadonlyMap<string, number> {
  const open = new Set(commits.slice(0, 1).map(({ id }) => id));
  const isJoint: boolean[] = [];
  let roots = 0;
  for (const { id, parents } of commits) {
    isJoint.push(open.size === 1 && open.has(id) && roots === 0);
    open.delete(id);
    for (const parent of parents) open.add(parent);
    if (parents.length === 0) roots += 1;
  }
  const joints = new Map<string, number>();
  const [next, ...others] = open;
  let joint = next !== undefined && others.length === 0 && roots === 0 ? commits.length : undefined;
  if (next !== undefined && joint !== undefined) joints.set(next, joint);
  for (let index = commits.length - 1; index >= 0; index -= 1) {
    if (isJoint[index]) joint = index;
    const { id = '' } = commits[index] ?? {};
    if (joint !== undefined) joints.set(id, joint);
  }
  return joints;
}
