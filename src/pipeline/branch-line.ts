/** Which commits of a branch contain which, read from its history as far as somebody waits for them. */
import { findDescendants } from '../reconcile/find-descendants.ts';
import type { Lineage } from '../reconcile/judge-applier.ts';
import type { Clock, CommitInfo, RepoHistory, YamlRepo } from './ports.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Calls throw what keeps the Yaml repo from being read. */
export interface BranchLine {
  /** The branch is there now. */
  advance(tip: string): void;
  /** Reads what is new, as far back as these commits. */
  read(wanted: readonly string[], options: CallOptions): Promise<void>;
  /** Has the branch looked at where somebody tells of a commit that is not known: it may have gone on. Each commit once, and not often. */
  catchUp(reported: readonly string[], wanted: readonly string[], options: CallOptions): Promise<void>;
  /** Those that are known to contain the commit; at least itself. */
  lineageOf(commit: string): Lineage;
  /** Whether the commit is among the newest of the branch, as they were read. */
  has(commit: string): boolean;
  /** Newest first, as they were read. */
  list(): readonly CommitInfo[];
}

const firstCount = 64;
const growth = 4;
/** A branch that went further since has long gone past who waits. */
const maxCount = 1024;
const catchUpGapMs = 10_000;
const maxForeign = 1000;

/** Nothing is known at first. */
export function createBranchLine(
  repo: Pick<YamlRepo, 'fetch'> & Pick<RepoHistory, 'listCommits'>,
  clock: Pick<Clock, 'nowMs'>,
): BranchLine {
  let tip: string | undefined;
  let readFor: string | undefined;
  /** There is no more of it to be read. */
  let isWhole = false;
  let commits: readonly CommitInfo[] = [];
  let ids: ReadonlySet<string> = new Set();
  let lookedMs = Number.NEGATIVE_INFINITY;
  /** What the branch did not have when it was looked for. */
  const foreign = new Set<string>();

  async function read(wanted: readonly string[], { signal }: CallOptions): Promise<void> {
    const from = tip;
    const hasAll = () => wanted.every((id) => ids.has(id));
    const isKnown = from === readFor;
    if (from === undefined || (isKnown && (isWhole || hasAll()))) return;
    for (let count = isKnown ? growth * commits.length : firstCount; ; count *= growth) {
      const listed = await repo.listCommits(from, { count, signal });
      commits = listed.commits;
      ids = new Set(commits.map(({ id }) => id));
      isWhole = listed.complete || listed.cut !== undefined || count >= maxCount;
      if (isWhole || hasAll()) break;
    }
    readFor = from;
  }

  return {
    advance(next) {
      tip = next;
    },
    read,
    async catchUp(reported, wanted, options) {
      const unknown = reported.filter((id) => !ids.has(id) && !foreign.has(id));
      if (unknown.length === 0 || clock.nowMs() < lookedMs + catchUpGapMs) return;
      lookedMs = clock.nowMs();
      tip = (await repo.fetch(options)).commit;
      await read(wanted, options);
      if (foreign.size > maxForeign) foreign.clear();
      for (const id of unknown) if (!ids.has(id)) foreign.add(id);
    },
    lineageOf: (commit) => ({ commit, descendants: findDescendants(commits, commit) ?? new Set([commit]) }),
    has: (commit) => ids.has(commit),
    list: () => commits,
  };
}
