/** Which reconcilers' objects apply a Yaml repo. */
import { matchesRepoUrl } from '../address/match-repo-url.ts';
import { groupBy } from '../collection/group-by.ts';
import { resolveGlob } from '../policy/glob.ts';
import {
  type Application,
  formatName,
  type GitSource,
  type HelmRelease,
  type Kustomization,
  type ReconcilerName,
  type ReconcilerObject,
} from './reconciler-object.ts';

/** A Yaml repo's branch. */
export interface WatchedBranch {
  /** Undefined for a folder, which no address finds. */
  readonly url: string | undefined;
  /** Short name. */
  readonly branch: string;
  /** Whether it is what `HEAD` means: known where the configuration leaves the branch to the repository. */
  readonly isDefault: boolean | undefined;
  /** Objects that belong to it whatever they say. */
  readonly named: readonly ReconcilerName[];
}

/** What applies files of the branch. */
export interface Applier {
  readonly object: Kustomization | HelmRelease | Application;
  /** Folders whose files it applies, `` for all. */
  readonly paths: readonly string[];
  /** Of an Application, by their indexes: its sources that are of the branch. */
  readonly slots: readonly number[];
  /** Why nobody waits for it to apply anything: `it is suspended`; undefined where it is waited for. */
  readonly excuse: string | undefined;
}

export interface MatchedObjects {
  /** Flux's sources of the branch. */
  readonly sources: readonly GitSource[];
  readonly appliers: readonly Applier[];
}

/**
 * The objects that the branch concerns: Flux's sources with its address and branch and what takes its files from those, and
 * Argo CD's Applications with its address and branch; and those that are named.
 *
 * @example
 * matchObjects([], { url: 'https://git.example/deploy', branch: 'main', isDefault: true, named: [] }) // { sources: [], appliers: [] }
 */
export function matchObjects(objects: Iterable<ReconcilerObject>, watched: WatchedBranch): MatchedObjects {
  const named = new Set(watched.named.map(formatName));
  const isNamed = (object: ReconcilerObject) => named.has(formatName(object));
  const all = [...objects];
  const isSameRepo = createUrlMatcher(watched.url);
  const sources = all.filter(
    (object) =>
      object.kind === 'GitRepository' &&
      (isNamed(object) || (object.branch === watched.branch && isSameRepo(object.url))),
  ) as GitSource[];
  const byName = new Map(sources.map((source) => [`${source.namespace}/${source.name}`, source]));
  const appliers = all.flatMap((object): readonly Applier[] => {
    if (object.kind === 'GitRepository') return [];
    if (object.kind === 'Application')
      return matchApplication(object, { ...watched, isSameRepo, isNamed: isNamed(object) });
    const source = object.source && byName.get(`${object.source.namespace}/${object.source.name}`);
    if (source === undefined && !isNamed(object)) return [];
    return [{ object, paths: listPaths(object.path), slots: [], excuse: findExcuse(object, source) }];
  });
  return { sources, appliers };
}

/** Objects by the thousand have a few addresses: each is compared once. */
function createUrlMatcher(url: string | undefined): (other: string) => boolean {
  const known = new Map<string, boolean>();
  return (other) => {
    const isSame = known.get(other) ?? (url !== undefined && matchesRepoUrl(other, url));
    known.set(other, isSame);
    return isSame;
  };
}

function listPaths(path: string): readonly string[] {
  const folder = resolveGlob('', path);
  return folder === undefined ? [] : [folder];
}

function findExcuse(object: Kustomization | HelmRelease, source: GitSource | undefined): string | undefined {
  if (object.isSuspended) return 'it is suspended';
  if (source?.isSuspended === true) return `its source ${formatName(source)} is suspended`;
  if (object.kind === 'HelmRelease' && !object.followsCommits)
    return 'its chart is built anew for a new version of the chart, and for each commit only with reconcileStrategy Revision';
  return undefined;
}

function matchApplication(
  object: Application,
  watched: WatchedBranch & { readonly isSameRepo: (url: string) => boolean; readonly isNamed: boolean },
): readonly Applier[] {
  const { isNamed } = watched;
  const fits = object.sources.map((source) =>
    source.isChart || !watched.isSameRepo(source.url) ? 'no' : fitsBranch(source.revision, watched),
  );
  const ofBranch = fits.flatMap((fit, index) => (fit === 'no' ? [] : [index]));
  if (ofBranch.length === 0 && !isNamed) return [];
  const ofGit = object.sources.flatMap(({ isChart }, index) => (isChart ? [] : [index]));
  const slots = ofBranch.length === 0 ? ofGit : ofBranch;
  const isDoubtful = !isNamed && ofBranch.every((index) => fits[index] === 'perhaps');
  const excuse = !object.isAutomated
    ? 'it is not synced automatically'
    : isDoubtful
      ? 'it follows HEAD, which may be another branch'
      : undefined;
  return [{ object, paths: slots.flatMap((index) => object.sources[index]?.paths ?? []), slots, excuse }];
}

function fitsBranch(revision: string, { branch, isDefault }: WatchedBranch): 'yes' | 'perhaps' | 'no' {
  if (revision === '' || revision === 'HEAD') return isDefault === undefined ? 'perhaps' : isDefault ? 'yes' : 'no';
  return revision === branch || revision === `refs/heads/${branch}` ? 'yes' : 'no';
}

/**
 * Finds, of these, who applies one of the files; all of them where none has its folder, for bases and charts may stand anywhere.
 * For the same folders it gives the same list again.
 *
 * @example
 * createApplierFinder([])(['apps/web.yaml']) // []
 */
export function createApplierFinder(appliers: readonly Applier[]): (files: readonly string[]) => readonly Applier[] {
  const all = appliers.flatMap(({ paths }, index) => paths.map((path) => ({ path, index })));
  const byPath = groupBy(all, ({ path }) => path);
  const known = new Map<string, readonly Applier[]>();
  return (files) => {
    const paths = new Set(files.flatMap(listPrefixes).filter((path) => byPath.has(path)));
    if (paths.size === 0) return appliers;
    const key = JSON.stringify([...paths].sort());
    const before = known.get(key);
    if (before !== undefined) return before;
    const indexes = new Set([...paths].flatMap((path) => byPath.get(path) ?? []).map(({ index }) => index));
    const found = [...indexes].sort((a, b) => a - b).flatMap((index) => appliers[index] ?? []);
    known.set(key, found);
    return found;
  };
}

/** `apps/web.yaml`: the root, `apps` and itself. */
function listPrefixes(file: string): readonly string[] {
  const parts = file.split('/');
  return ['', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))];
}

/**
 * The commits that the objects tell of.
 *
 * @example
 * listReported({ sources: [], appliers: [] }) // []
 */
export function listReported({ sources, appliers }: MatchedObjects): readonly string[] {
  const told = appliers.flatMap(({ object, slots }) => {
    if (object.kind === 'HelmRelease') return [];
    if (object.kind === 'Kustomization') return [object.applied, object.attempted];
    return slots.flatMap((index) => [object.sources[index]?.compared, object.sources[index]?.synced]);
  });
  const found = [...sources.map(({ fetched }) => fetched), ...told];
  return [...new Set(found.filter((id) => id !== undefined))];
}
