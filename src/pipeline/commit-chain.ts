/** The past of a branch as far as it was needed, kept between passes: when the tip advances, only new commits are read. */

import type { MarkedCommit } from '../hold/known-past.ts';
import { readMarks } from '../hold/marks.ts';
import type { CommitInfo, RepoHistory } from './ports.ts';

/** So far back is looked for what we wrote; older commits count as not there. */
export const maxCommitsRead = 20_000;

/** Commits newest first, from the tip on. */
export interface CommitChain {
  readonly tip: string;
  readonly ids: readonly string[];
  /** Of each of them. */
  readonly parents: readonly (readonly string[])[];
  /** Those that say something of policies, newest first; none behind `cut`. */
  readonly marked: readonly MarkedCommit[];
  /** Nothing older is to be had, or to be looked at. */
  readonly complete: boolean;
  /** Where a shallow repository ends: what came before this commit is not known, also what newer commits led to it. */
  readonly cut: string | undefined;
}

/** The commits of the chain with their parents. */
export function linkCommits({ ids, parents }: CommitChain): readonly Pick<CommitInfo, 'id' | 'parents'>[] {
  return ids.map((id, index) => ({ id, parents: parents[index] ?? [] }));
}

const firstCount = 64;
const growth = 4;
/** More new commits than these are not joined to what is known, but read with it anew. */
const maxJoined = 1000;

interface ReadOptions {
  readonly signal: AbortSignal;
}

/** The chain from `tip`, joined to what was known of an earlier tip, or else begun. */
export async function openChain(
  repo: Pick<RepoHistory, 'listCommits'>,
  { tip, known }: { tip: string; known: CommitChain | undefined },
  options: ReadOptions,
): Promise<CommitChain> {
  // It may have been made whole meanwhile.
  const isWhole = known?.cut === undefined;
  if (known?.tip === tip && isWhole) return known;
  const joined = known === undefined || !isWhole ? undefined : await joinChain(repo, { tip, known }, options);
  return joined ?? (await readChain(repo, { tip, count: firstCount }, options));
}

/** The same chain with some times as many commits. */
export function extendChain(
  repo: Pick<RepoHistory, 'listCommits'>,
  { tip, ids }: CommitChain,
  options: ReadOptions,
): Promise<CommitChain> {
  return readChain(repo, { tip, count: Math.max(firstCount, ids.length * growth) }, options);
}

async function readChain(
  repo: Pick<RepoHistory, 'listCommits'>,
  { tip, count }: { tip: string; count: number },
  { signal }: ReadOptions,
): Promise<CommitChain> {
  const wanted = Math.min(count, maxCommitsRead);
  const { commits, complete, cut } = await repo.listCommits(tip, { count: wanted, signal });
  const end = commits.findIndex(({ id }) => id === cut);
  return {
    tip,
    ids: commits.map(({ id }) => id),
    parents: commits.map(({ parents }) => parents),
    marked: (end === -1 ? commits : commits.slice(0, end + 1)).flatMap(toMarked),
    complete: complete || commits.length < wanted || cut !== undefined || wanted === maxCommitsRead,
    cut,
  };
}

function toMarked({ id, whenMs, message }: CommitInfo): readonly MarkedCommit[] {
  const marks = readMarks(message);
  return marks === undefined ? [] : [{ id, whenMs, marks }];
}

/**
 * What is new before what is known; undefined where that is not the order in which the repository has them: the branch was
 * rewritten, or commits of ours came in by a merge.
 */
async function joinChain(
  repo: Pick<RepoHistory, 'listCommits'>,
  { tip, known }: { tip: string; known: CommitChain },
  { signal }: ReadOptions,
): Promise<CommitChain | undefined> {
  const old = new Set(known.ids);
  for (let count = 16; count <= maxJoined * growth; count *= growth) {
    const { commits, complete } = await repo.listCommits(tip, { count, signal });
    const found = findNew(commits, { tip, old });
    if (found === undefined && (complete || commits.length < count)) return undefined;
    if (found === undefined) continue;
    const marked = found.flatMap(toMarked);
    const descends = found.some(({ parents }) => parents.includes(known.tip));
    const merged = found.some(({ parents }) => parents.length > 1);
    if (!descends || (merged && marked.length > 0)) return undefined;
    const ids = [...found.map(({ id }) => id), ...known.ids].slice(0, maxCommitsRead);
    const parents = [...found.map((commit) => commit.parents), ...known.parents].slice(0, maxCommitsRead);
    return { tip, ids, parents, marked: [...marked, ...known.marked], complete: known.complete, cut: undefined };
  }
  return undefined;
}

/** The commits that the tip has more than `old`, in their order; undefined where some of them are not in the list. */
function findNew(
  commits: readonly CommitInfo[],
  { tip, old }: { tip: string; old: ReadonlySet<string> },
): readonly CommitInfo[] | undefined {
  const byId = new Map(commits.map((commit) => [commit.id, commit]));
  const found = new Set<string>();
  const open = [tip];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (old.has(id) || found.has(id)) continue;
    const commit = byId.get(id);
    if (commit === undefined || found.size === maxJoined) return undefined;
    found.add(id);
    open.push(...commit.parents);
  }
  return commits.filter(({ id }) => found.has(id));
}
