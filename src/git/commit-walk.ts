/** Walks from a commit to what it descends from. */
import { setImmediate } from 'node:timers/promises';
import type { CommitInfo } from '../pipeline/ports.ts';

export interface WalkOptions {
  readonly from: string;
  /** So many commits, or all there are. */
  readonly count: number;
  readonly read: (oid: string) => CommitInfo;
  /** Commits whose parents are not here. */
  readonly shallow: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

export interface Walk {
  /** Newest first by the committers' clocks, a parent never before its child. */
  readonly commits: readonly CommitInfo[];
  /** The first commit that the walk could not go on from before it had enough; its distance counts `from` as 1. */
  readonly cut: { readonly id: string; readonly depth: number } | undefined;
  /** Whether there are no more commits. */
  readonly ended: boolean;
}

interface Waiting {
  readonly commit: CommitInfo;
  readonly depth: number;
}

/** The event loop gets a turn after so many commits. */
const commitsPerTurn = 256;

/** Takes the newest of the commits in reach, again and again, as `git log` does. */
export async function walkCommits({ from, count, read, shallow, signal }: WalkOptions): Promise<Walk> {
  const queue: Waiting[] = [{ commit: read(from), depth: 1 }];
  const seen = new Set([from]);
  const commits: CommitInfo[] = [];
  let cut: Walk['cut'];
  let open = false;
  while (commits.length < count) {
    const next = queue.pop();
    if (next === undefined) break;
    const { commit, depth } = next;
    commits.push(commit);
    if (commits.length % commitsPerTurn === 0) await setImmediate();
    signal.throwIfAborted();
    // Git also marks a first commit that lies at the boundary, and nothing is missing behind that.
    if (shallow.has(commit.id) && commit.parents.length > 0) {
      open = true;
      if (commits.length < count) cut ??= { id: commit.id, depth };
      continue;
    }
    for (const parent of commit.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      insert(queue, { commit: read(parent), depth: depth + 1 });
    }
  }
  return { commits: sortChildrenFirst(commits), cut, ended: queue.length === 0 && !open };
}

/** The newest at the end; among equals, the one that came first. */
function insert(queue: Waiting[], waiting: Waiting): void {
  let from = 0;
  let to = queue.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((queue[middle]?.commit.whenMs ?? 0) < waiting.commit.whenMs) from = middle + 1;
    else to = middle;
  }
  queue.splice(from, 0, waiting);
}

/** Where a clock went wrong, a parent can be newer than a child that another way leads to: it waits for all its children. */
function sortChildrenFirst(commits: readonly CommitInfo[]): CommitInfo[] {
  const position = new Map(commits.map((commit, index) => [commit.id, index]));
  const children = new Map<string, number>();
  for (const { parents } of commits)
    for (const parent of new Set(parents)) children.set(parent, (children.get(parent) ?? 0) + 1);
  const isOrdered = commits.every(({ parents }, index) =>
    parents.every((parent) => (position.get(parent) ?? Number.POSITIVE_INFINITY) > index),
  );
  if (isOrdered) return [...commits];
  const queue: Waiting[] = [];
  for (const commit of commits) if (!children.has(commit.id)) insert(queue, { commit, depth: 0 });
  const sorted: CommitInfo[] = [];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    sorted.push(next.commit);
    for (const parent of new Set(next.commit.parents)) {
      const left = (children.get(parent) ?? 0) - 1;
      children.set(parent, left);
      const commit = commits[position.get(parent) ?? -1];
      if (left === 0 && commit !== undefined) insert(queue, { commit, depth: 0 });
    }
  }
  return sorted;
}
