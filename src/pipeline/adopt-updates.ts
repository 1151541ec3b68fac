/** Versions that others committed, of which it is told here what became: found in Git's own record. */
import type { Update } from '../edit/plan.ts';
import { readMarks } from '../hold/marks.ts';
import { findBrought } from '../reconcile/find-brought.ts';
import type { BranchLine } from './branch-line.ts';
import { holdsVersion } from './holds-version.ts';
import type { Clock, CommitInfo, RepoHistory, YamlRepo } from './ports.ts';

export interface AdoptedUpdate {
  readonly commit: string;
  readonly update: Update;
  /** Where the commit wrote it; none where that is not known. */
  readonly files: readonly string[];
  /** When it was made, by `nowMs`. */
  readonly madeMs: number;
}

export interface AdoptTools {
  readonly repo: Pick<YamlRepo, 'readBlobs'> & Pick<RepoHistory, 'findGoneFiles'>;
  readonly line: BranchLine;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly signal: AbortSignal;
}

const maxInherited = 32;
/** Of a commit that changes more, all files count for each of its versions. */
const maxFilesRead = 200;

/** What the branch's newest commits wrote within that time, oldest first, but for the commits that are known here. */
export async function listInherited(
  { maxAgeMs, known }: { maxAgeMs: number; known: ReadonlySet<string> },
  tools: AdoptTools,
): Promise<readonly AdoptedUpdate[]> {
  const { line, clock } = tools;
  const recent = line
    .list()
    .slice(0, maxInherited)
    .filter(({ id, whenMs }) => !known.has(id) && whenMs > clock.wallMs() - maxAgeMs);
  const adopted: AdoptedUpdate[] = [];
  for (const commit of recent.reverse()) {
    const madeMs = clock.nowMs() - Math.max(0, clock.wallMs() - commit.whenMs);
    adopted.push(...(await readUpdates(commit, tools)).map((found) => ({ ...found, commit: commit.id, madeMs })));
  }
  return adopted;
}

/**
 * What was merged since the branch was at that commit, oldest first: versions of policies whose changes are proposed, by the
 * commit that brought them to the branch. The time of that may be long ago, so what counts is that it is seen now.
 */
export async function listMerged(
  { since, policies }: { since: string; policies: ReadonlySet<string> },
  tools: AdoptTools,
): Promise<readonly AdoptedUpdate[]> {
  const { line, signal } = tools;
  const parents = [...findBrought(line.list(), since).keys()].flatMap((commit) => commit.parents);
  // What was merged may be older than all that was read for others.
  await line.read(parents, { signal });
  const brought = findBrought(line.list(), since);
  const madeMs = tools.clock.nowMs();
  const adopted: AdoptedUpdate[] = [];
  for (const [commit, merged] of brought) {
    const message = merged.map((one) => one.message).join('\n\n');
    const found = await readUpdates({ ...commit, message }, tools);
    const proposed = found.filter(({ update }) => policies.has(update.policy));
    adopted.push(...proposed.map((one) => ({ ...one, commit: commit.id, madeMs })));
  }
  return adopted;
}

/** The versions that the commit says it wrote, but for those that are not in what it changed: a squash names earlier ones, too. */
async function readUpdates(
  commit: CommitInfo,
  tools: AdoptTools,
): Promise<readonly Pick<AdoptedUpdate, 'update' | 'files'>[]> {
  const marks = readMarks(commit.message)?.updates ?? [];
  const updates = new Map(marks.map((update) => [`${update.policy} ${update.to}`, update]));
  if (updates.size === 0) return [];
  const changed = await findChanged(commit, tools);
  const files = [...changed.keys()];
  if (files.length === 0 || files.length > maxFilesRead)
    return [...updates.values()].map((update) => ({ update, files }));
  const blobs = await tools.repo.readBlobs(new Set(changed.values()), { signal: tools.signal });
  const holds = (file: string, version: string): boolean => {
    const bytes = blobs.get(changed.get(file) ?? '');
    return bytes !== undefined && holdsVersion(bytes, version);
  };
  return [...updates.values()]
    .map((update) => ({ update, files: files.filter((file) => holds(file, update.to)) }))
    .filter((found) => found.files.length > 0);
}

/** The blob ids of what the commit added or changed, by path; nothing where what was before it is not known. */
async function findChanged(
  { id, parents: [parent] }: CommitInfo,
  { repo, line, signal }: AdoptTools,
): Promise<ReadonlyMap<string, string>> {
  if (parent === undefined || !line.has(parent)) return new Map();
  return await repo.findGoneFiles({ from: id, to: parent, orChanged: true }, { signal });
}
