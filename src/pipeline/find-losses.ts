/** Looks at files as they were, for versions that their places are without now. */
import { setImmediate } from 'node:timers/promises';
import { groupBy } from '../collection/group-by.ts';
import { findLoss, findNeedle, type PastPlace, type Suspect } from '../hold/find-lost.ts';
import type { UpdateMark } from '../hold/marks.ts';
import { moveTo, readPastPlaces } from '../hold/read-past-places.ts';
import { createGlob } from '../policy/glob.ts';
import type { Policy } from '../policy/policy.ts';
import { type FileSites, findSites } from '../target/find-sites.ts';
import type { Target } from '../target/target.ts';
import { mapConcurrent } from './map-concurrent.ts';
import type { RepoHistory, YamlRepo } from './ports.ts';

export type PastRepo = RepoHistory & Pick<YamlRepo, 'readBlobs'>;

/** One policy's versions that may have been lost. */
export interface LossQuestion {
  readonly policy: Policy;
  /** All of the policy. */
  readonly targets: readonly Target[];
  readonly suspects: readonly Suspect[];
  /** Commits that say what was written, newest first: from the last on, a place that had a version lost it. */
  readonly since: readonly string[];
}

/** For each policy the versions lost, each with the first place that lost it. */
export type Losses = ReadonlyMap<Policy, ReadonlyMap<UpdateMark, Target>>;

interface Search extends LossQuestion {
  readonly byFile: ReadonlyMap<string, readonly Target[]>;
  readonly lost: Map<UpdateMark, Target>;
}

/** A file's earlier bytes, to be read for one policy. */
interface View {
  readonly search: Search;
  readonly file: string;
  readonly oid: string;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

const treesAtOnce = 8;
const commitsAtOnce = 64;
/** Of at most some MiB each: never all of a long past in memory. */
const blobsAtOnce = 16;

/** Looks at the commits that say what was written, and where these say nothing, at all that came after. `ids`: newest first. */
export async function findLosses(
  repo: PastRepo,
  { ids, questions }: { ids: readonly string[]; questions: readonly LossQuestion[] },
  options: CallOptions,
): Promise<Losses> {
  const searches = questions.map(
    (question): Search => ({ ...question, byFile: groupBy(question.targets, ({ file }) => file), lost: new Map() }),
  );
  const commits = new Set(searches.flatMap(({ since }) => since));
  for (const commit of commits) {
    const asked = searches.filter((search) => search.since.includes(commit) && listOpen(search).length > 0);
    await searchCommit(repo, { commit, tip: ids[0] ?? commit, asked }, options);
  }
  for (const [oldest, asked] of groupBy(searches, ({ since }) => since.at(-1))) {
    const end = oldest === undefined ? 0 : Math.max(0, ids.indexOf(oldest));
    await searchAfter(repo, { commits: ids.slice(0, end).filter((id) => !commits.has(id)), asked }, options);
  }
  return new Map(searches.map(({ policy, lost }) => [policy, lost]));
}

function listOpen({ suspects, lost }: Search): readonly Suspect[] {
  return suspects.filter(({ update }) => !lost.has(update));
}

/** Files where some place is without a version that is not known to be lost. */
function listSuspectFiles(search: Search): ReadonlySet<string> {
  return new Set(listOpen(search).flatMap(({ without }) => [...without].map(({ file }) => file)));
}

/** Compares file by file, and what stands in files that were not there then with what stood in those that are gone. */
async function searchCommit(
  repo: PastRepo,
  { commit, tip, asked }: { commit: string; tip: string; asked: readonly Search[] },
  options: CallOptions,
): Promise<void> {
  if (asked.length === 0) return;
  const oids = await repo.findFiles(commit, new Set(asked.flatMap(({ byFile }) => [...byFile.keys()])), options);
  const views = asked.flatMap((search) => listViews(search, oids));
  for await (const { search, file, places } of readViews(repo, { views, least: () => 0 }, options))
    takeLosses(search, search.byFile.get(file) ?? [], places);
  const moved = asked.filter((search) => [...listSuspectFiles(search)].some((file) => !oids.has(file)));
  if (moved.length === 0) return;
  const gone = await repo.findGoneFiles({ from: commit, to: tip }, options);
  const sources = await repo.findFiles(commit, new Set(moved.map(({ policy }) => policy.source.file)), options);
  for (const search of moved) {
    const left = listGone(search, gone, { isMoved: !sources.has(search.policy.source.file) });
    const past: PastPlace[] = [];
    for await (const { places } of readViews(repo, { views: left, least: () => 0 }, options)) past.push(...places);
    takeLosses(
      search,
      search.targets.filter(({ file }) => !oids.has(file)),
      past,
    );
  }
}

/** Where the policy itself was moved, its paths were others: any file that is gone may have been its own. */
function listGone(
  search: Search,
  gone: ReadonlyMap<string, string>,
  { isMoved }: { isMoved: boolean },
): readonly View[] {
  const { globs } = search.policy.paths;
  const within = globs.map(createGlob);
  const files = [...gone].filter(([file]) => isMoved || within.some((matches) => matches(file)));
  return files.map(([file, oid]) => {
    const policy = moveTo(search.policy, file);
    return { search: { ...search, policy }, file, oid };
  });
}

/** All contents that the files had in these commits, each once. */
async function searchAfter(
  repo: PastRepo,
  { commits, asked }: { commits: readonly string[]; asked: readonly Search[] },
  options: CallOptions,
): Promise<void> {
  const seen = new Set<string>();
  for (let start = 0; start < commits.length; start += commitsAtOnce) {
    options.signal.throwIfAborted();
    const files = new Set(asked.flatMap((search) => [...listSuspectFiles(search)]));
    if (files.size === 0) return;
    const some = commits.slice(start, start + commitsAtOnce);
    const found = await mapConcurrent(some, treesAtOnce, (commit) => repo.findFiles(commit, files, options));
    const views: View[] = [];
    for (const [file, oid] of found.flatMap((oids) => [...oids])) {
      if (seen.has(`${oid} ${file}`)) continue;
      seen.add(`${oid} ${file}`);
      views.push(...asked.flatMap((search) => listViews(search, new Map([[file, oid]]))));
    }
    for await (const { search, file, places } of readViews(repo, { views, least: countHaving }, options))
      takeLosses(search, search.byFile.get(file) ?? [], places);
  }
}

function listViews(search: Search, oids: ReadonlyMap<string, string>): readonly View[] {
  return [...listSuspectFiles(search)].flatMap((file) => {
    const oid = oids.get(file);
    return oid === undefined ? [] : [{ search, file, oid }];
  });
}

/** Where the text stands no more often than so, a newer version aside, no place can have lost it. */
function countHaving({ search, file }: View, { without }: Suspect): number {
  return (search.byFile.get(file) ?? []).filter((target) => !without.has(target)).length;
}

function takeLosses(search: Search, targets: readonly Target[], past: readonly PastPlace[]): void {
  for (const suspect of listOpen(search)) {
    const place = findLoss(suspect, { targets, past });
    if (place !== undefined) search.lost.set(suspect.update, place);
  }
}

/** Reads place after place, and lets others have their turn in between; `least`: so often a version's text must stand there, and once more. */
async function* readViews(
  repo: PastRepo,
  { views, least }: { views: readonly View[]; least: (view: View, suspect: Suspect) => number },
  options: CallOptions,
): AsyncGenerator<View & { readonly places: readonly PastPlace[] }> {
  const byOid = [...groupBy(views, ({ oid }) => oid)];
  for (let start = 0; start < byOid.length; start += blobsAtOnce) {
    const some = byOid.slice(start, start + blobsAtOnce);
    const blobs = await repo.readBlobs(new Set(some.map(([oid]) => oid)), options);
    for (const [oid, same] of some) {
      const bytes = blobs.get(oid);
      if (bytes === undefined) continue;
      const read = createReader(bytes);
      for (const view of same) {
        const needed = (suspect: Suspect) => isMoreOften(bytes, findNeedle(suspect.update), least(view, suspect));
        if (!listOpen(view.search).some(needed)) continue;
        await setImmediate();
        options.signal.throwIfAborted();
        yield { ...view, places: read(view) };
      }
    }
  }
}

/** Parses the bytes once for all policies, as long as the file's name is the same. */
function createReader(bytes: Uint8Array): (view: View) => readonly PastPlace[] {
  const known = new Map<string, FileSites>();
  return ({ search: { policy, targets, byFile }, file }) => {
    const sites = known.get(file) ?? findSites(bytes, file);
    known.set(file, sites);
    return readPastPlaces({ file, bytes, sites }, { policy, present: byFile.get(file) ?? targets });
  };
}

function isMoreOften(bytes: Uint8Array, text: string, times: number): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = -1;
  for (let count = 0; count <= times; count += 1) {
    at = buffer.indexOf(text, at + 1);
    if (at === -1) return false;
  }
  return true;
}
