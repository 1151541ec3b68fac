/** What the Yaml repo's files hold, read once for each blob and remembered for as long as the blob is in the repo. */
import { dedupeProblems, type Problem, toProblem } from '../error/problem.ts';
import { createGlob } from '../policy/glob.ts';
import type { Policy } from '../policy/policy.ts';
import { mayHoldPolicies, type PolicyPieces, readPolicyPieces, resolvePolicies } from '../policy/read-policies.ts';
import { findExplicitSites, listExplicitFiles } from '../target/find-explicit.ts';
import { type FileSites, findSites, findSitesIn, mergeSites } from '../target/find-sites.ts';
import { findImageNames, lastComponent } from '../target/image-names.ts';
import { matchTargets } from '../target/match-targets.ts';
import type { Target } from '../target/target.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import { markerNeedle } from '../yaml/scan-lexemes.ts';
import type { RepoFile, Snapshot, YamlRepo } from './ports.ts';

/** What one snapshot says. */
export interface RepoContents {
  readonly policies: readonly Policy[];
  readonly targets: readonly Target[];
  readonly problems: readonly Problem[];
}

interface BlobFacts {
  readonly hasMarker: boolean;
  readonly imageNames: readonly string[];
  readonly pieces: PolicyPieces;
  sites?: FileSites;
}

export interface RepoMemory {
  /** Reads what is new in the snapshot; a file that cannot be read makes a problem only. */
  read(repo: Pick<YamlRepo, 'readBlobs'>, snapshot: Snapshot, options: { signal: AbortSignal }): Promise<RepoContents>;
}

/** A memory for one Yaml repo; `paths` are the folders or globs in which YAML files are looked at. */
export function createRepoMemory(paths: readonly string[]): RepoMemory {
  const globs = paths.map(createGlob);
  const isWatched = ({ path, mode }: RepoFile) =>
    mode.startsWith('100') && /\.ya?ml$/i.test(path) && globs.some((glob) => glob(path));
  let known = new Map<string, BlobFacts>();
  let last: { snapshot: Snapshot; contents: RepoContents } | undefined;
  return {
    async read(repo, snapshot, { signal }) {
      if (last?.snapshot === snapshot) return last.contents;
      const files = snapshot.files.filter(isWatched);
      const readBlobs = createBlobReader((oids) => repo.readBlobs(oids, { signal }));
      const next = await readFacts(known, files, readBlobs);
      const { problems, ...resolved } = resolvePolicies([...next.values()].map((facts) => facts.pieces));
      const policies = keepUnchanged(resolved.policies, last?.contents.policies ?? []);
      const found = await readSites(next, { files, policies, readBlobs });
      const explicit = await readExplicitSites(files, policies, readBlobs);
      known = next;
      const broken = new Set(problems.flatMap((problem) => problem.policy ?? []));
      const matched = matchTargets(mergeSites(explicit.sites, found), policies, broken);
      const seen = [...found.values()].flatMap((file) => file.problems);
      // A file that holds both policies and places tells its syntax errors twice.
      const all = dedupeProblems([...problems, ...explicit.problems, ...seen, ...matched.problems]);
      const contents = { policies, targets: matched.targets, problems: all };
      last = { snapshot, contents };
      return contents;
    },
  };
}

/** The policies, each that is as it was as the same object: what was compiled and selected for it is remembered by that. */
function keepUnchanged(policies: readonly Policy[], known: readonly Policy[]): readonly Policy[] {
  const same = new Set(known);
  if (policies.every((policy) => same.has(policy))) return policies;
  const byText = new Map(known.map((policy) => [JSON.stringify(policy), policy]));
  return policies.map((policy) => byText.get(JSON.stringify(policy)) ?? policy);
}

type ReadBlobs = (oids: Iterable<string>) => Promise<ReadonlyMap<string, Uint8Array>>;

/** Reads each blob once in one pass over the repo. */
function createBlobReader(readBlobs: ReadBlobs): ReadBlobs {
  const read = new Map<string, Uint8Array>();
  return async (oids) => {
    const missing = [...new Set(oids)].filter((oid) => !read.has(oid));
    if (missing.length > 0) for (const [oid, bytes] of await readBlobs(missing)) read.set(oid, bytes);
    return read;
  };
}

/** Facts name files, so the same blob at two paths is two entries. */
const keyOf = ({ oid, path }: RepoFile): string => `${oid} ${path}`;

async function readFacts(
  known: ReadonlyMap<string, BlobFacts>,
  files: readonly RepoFile[],
  readBlobs: ReadBlobs,
): Promise<Map<string, BlobFacts>> {
  const fresh = files.filter((file) => !known.has(keyOf(file)));
  const blobs = await readBlobs(fresh.map((file) => file.oid));
  const facts = new Map<string, BlobFacts>();
  for (const file of files) {
    const bytes = blobs.get(file.oid);
    const found = known.get(keyOf(file)) ?? (bytes === undefined ? undefined : learn(bytes, file.path));
    if (found !== undefined) facts.set(keyOf(file), found);
  }
  return facts;
}

function learn(bytes: Uint8Array, path: string): BlobFacts {
  // One byte a character: the needles are ASCII, and nothing here is ever written back.
  const rough = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const facts = { hasMarker: rough.includes(markerNeedle), imageNames: findImageNames(rough), pieces: noPieces };
  if (!mayHoldPolicies(rough)) return facts;
  try {
    const yaml = readYaml(decodeText(bytes, path), path);
    return { ...facts, pieces: readPolicyPieces(yaml, path), sites: findSitesIn(yaml, path) };
  } catch (error) {
    return { ...facts, pieces: { pieces: [], problems: [toProblem(error, { place: { file: path } })] } };
  }
}

const noPieces: PolicyPieces = { pieces: [], problems: [] };

async function readExplicitSites(
  files: readonly RepoFile[],
  policies: readonly Policy[],
  readBlobs: ReadBlobs,
): Promise<ReturnType<typeof findExplicitSites>> {
  const names = listExplicitFiles(policies);
  const named = files.filter((file) => names.has(file.path));
  const blobs = await readBlobs(named.map((file) => file.oid));
  const contents = named.flatMap(({ path, oid }) => {
    const bytes = blobs.get(oid);
    return bytes === undefined ? [] : [[path, bytes] as const];
  });
  return findExplicitSites(new Map(contents), policies);
}

async function readSites(
  facts: ReadonlyMap<string, BlobFacts>,
  { files, policies, readBlobs }: { files: readonly RepoFile[]; policies: readonly Policy[]; readBlobs: ReadBlobs },
): Promise<ReadonlyMap<string, FileSites>> {
  const wanted = new Set(policies.map((policy) => lastComponent(policy.repository.path)));
  const concerned = files.flatMap((file) => {
    const known = facts.get(keyOf(file));
    return known !== undefined && mayHoldTarget(known, wanted) ? [{ file, known }] : [];
  });
  const unread = concerned.filter(({ known }) => known.sites === undefined).map(({ file }) => file.oid);
  const blobs = await readBlobs(unread);
  for (const { file, known } of concerned) {
    const bytes = blobs.get(file.oid);
    if (known.sites === undefined && bytes !== undefined) known.sites = findSites(bytes, file.path);
  }
  return new Map(
    concerned.flatMap(({ file, known }) => (known.sites === undefined ? [] : [[file.path, known.sites] as const])),
  );
}

function mayHoldTarget(facts: BlobFacts, wanted: ReadonlySet<string>): boolean {
  return facts.hasMarker || facts.imageNames.some((name) => wanted.has(name));
}
