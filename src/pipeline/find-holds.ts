/** Asks the Yaml repo's past whether a person took away what was written, or asked to leave a policy alone. */
import { groupBy } from '../collection/group-by.ts';
import { isEqualVersion, isLost, listSuspects, parseVersionText, type Suspect } from '../hold/find-lost.ts';
import { type HeldVersion, type Hold, maxHeldVersions } from '../hold/hold.ts';
import type { UpdateMark } from '../hold/marks.ts';
import { type PolicyRecord, readPolicyRecord } from '../hold/policy-record.ts';
import { readPastVersions } from '../hold/read-past-versions.ts';
import type { Policy } from '../policy/policy.ts';
import { type CurrentVersion, readCurrent, type Target } from '../target/target.ts';
import { type CommitChain, extendChain, openChain } from './commit-chain.ts';
import { mapConcurrent } from './map-concurrent.ts';
import type { RepoHistory, YamlRepo } from './ports.ts';

type PastRepo = RepoHistory & Pick<YamlRepo, 'readBlobs'>;

/** What one Yaml repo's past was asked before. */
export interface HoldMemory {
  /** The holds among these policies at a commit, by their keys; `targets` are all places of theirs at that commit. */
  find(repo: PastRepo, question: HoldQuestion, options: { signal: AbortSignal }): Promise<FoundHolds>;
}

export interface FoundHolds {
  readonly holds: ReadonlyMap<string, Hold>;
  /** What our commits wrote for the policies that may stand somewhere. */
  readonly written: readonly UpdateMark[];
}

interface Answer {
  readonly hold: Hold | undefined;
  readonly written: readonly UpdateMark[];
}

export interface HoldQuestion {
  readonly commit: string;
  readonly policies: readonly Policy[];
  readonly targets: readonly Target[];
}

/** A memory for one branch; nothing is known at first. */
export function createHoldMemory(): HoldMemory {
  let chain: CommitChain | undefined;
  let answers = new Map<string, Answer>();
  return {
    async find(repo, { commit, policies, targets }, options) {
      if (chain?.tip !== commit || chain.cut !== undefined) {
        chain = await openChain(repo, { tip: commit, known: chain }, options);
        answers = new Map();
      }
      const open = policies.filter(({ key }) => !answers.has(key));
      const read = await readRecords(repo, { chain, policies: open }, options);
      chain = read.chain;
      const byPolicy = groupBy(targets, ({ policy }) => policy.key);
      const doubts = open.flatMap((policy) => {
        const record = read.records.get(policy.key);
        return record === undefined ? [] : listDoubts(policy, record, byPolicy.get(policy.key) ?? []);
      });
      const past = createPast(repo, chain, options);
      const found = await findLost(doubts, past, options);
      const lost = groupBy(found, ({ policy }) => policy.key);
      for (const policy of open) {
        const { key } = policy;
        const record = read.records.get(key);
        if (record === undefined) continue;
        const suspects = (lost.get(key) ?? []).map(({ suspect }) => suspect);
        const left = await dropReturned(record, { policy, targets: byPolicy.get(key) ?? [], past });
        const endsAt = record.settled ? undefined : chain.cut;
        answers.set(key, { hold: toHold(left, { key, endsAt, lost: suspects }), written: record.written });
      }
      return collectAnswers(policies, answers);
    },
  };
}

function collectAnswers(policies: readonly Policy[], answers: ReadonlyMap<string, Answer>): FoundHolds {
  const asked = policies.flatMap(({ key }) => answers.get(key) ?? []);
  return {
    holds: new Map(asked.flatMap(({ hold }) => (hold === undefined ? [] : [[hold.policy, hold] as const]))),
    written: asked.flatMap(({ written }) => written),
  };
}

/** Looks as far back as the policies' records need. */
async function readRecords(
  repo: PastRepo,
  { chain, policies }: { chain: CommitChain; policies: readonly Policy[] },
  options: { signal: AbortSignal },
): Promise<{ chain: CommitChain; records: ReadonlyMap<string, PolicyRecord> }> {
  const records = new Map<string, PolicyRecord>();
  let reached = chain;
  for (;;) {
    options.signal.throwIfAborted();
    for (const policy of policies) {
      if (records.get(policy.key)?.settled !== true) records.set(policy.key, readPolicyRecord(policy, reached.marked));
    }
    if (reached.complete || [...records.values()].every(({ settled }) => settled)) return { chain: reached, records };
    reached = await extendChain(repo, reached, options);
  }
}

/** A file that may have lost a version, and since when. */
interface Doubt {
  readonly policy: Policy;
  readonly suspect: Suspect;
  /** The policy's targets in that file. */
  readonly present: readonly Target[];
  readonly since: string;
}

function listDoubts(policy: Policy, { written, since }: PolicyRecord, targets: readonly Target[]): readonly Doubt[] {
  if (since === undefined) return [];
  return listSuspects(policy, written, targets).map((suspect) => {
    const present = targets.filter(({ file }) => file === suspect.file);
    return { policy, suspect, present, since };
  });
}

/** Looks at the files as they were when the versions were written, and where that says nothing, at all that came after. */
async function findLost(
  doubts: readonly Doubt[],
  past: Past,
  { signal }: { signal: AbortSignal },
): Promise<ReadonlySet<Doubt>> {
  const lost = new Set<Doubt>();
  for (const listCommits of [(since: string) => [since], past.commitsAfter]) {
    const open = doubts.filter((doubt) => !lost.has(doubt));
    for (const [since, same] of groupBy(open, (doubt) => doubt.since)) {
      signal.throwIfAborted();
      const blobs = await past.readFiles(listCommits(since), new Set(same.map(({ suspect }) => suspect.file)));
      for (const doubt of same)
        if (blobs.get(doubt.suspect.file)?.some((bytes) => hadMore(doubt, bytes))) lost.add(doubt);
    }
  }
  return lost;
}

function hadMore({ policy, suspect, present }: Doubt, bytes: Uint8Array): boolean {
  return isLost(suspect, readPastVersions(bytes, { policy, file: suspect.file, present }));
}

/** A version that stands somewhere again was put there by a person: it is not held any more. */
async function dropReturned(
  record: PolicyRecord,
  { policy, targets, past }: { policy: Policy; targets: readonly Target[]; past: Past },
): Promise<PolicyRecord> {
  const present = targets.map(readCurrent);
  const kept = record.kept.map(({ to }) => parseVersionText(to));
  const carried: string[] = [];
  for (const text of record.carried) {
    const version = parseVersionText(text);
    const count = present.filter((current) => isEqualVersion(current, version)).length;
    // Where it was lost in one place only, it never was away from others.
    const stood = count > 0 && kept.some((other) => isEqualVersion(other, version));
    const before = stood ? await countPast(version, { policy, targets, past, commit: record.since ?? '' }) : 0;
    if (count <= before) carried.push(text);
  }
  return { ...record, carried };
}

/** How many places had the version at a commit, in files that have places now. */
async function countPast(
  version: CurrentVersion,
  { policy, targets, past, commit }: { policy: Policy; targets: readonly Target[]; past: Past; commit: string },
): Promise<number> {
  const byFile = groupBy(targets, ({ file }) => file);
  const contents = await past.readFiles([commit], new Set(byFile.keys()));
  return [...byFile].reduce((sum, [file, present]) => {
    const versions = (contents.get(file) ?? []).flatMap((bytes) => readPastVersions(bytes, { policy, file, present }));
    return sum + versions.filter((one) => isEqualVersion(one, version)).length;
  }, 0);
}

function toHold(
  { asked, carried, since }: PolicyRecord,
  { key, endsAt, lost }: { key: string; endsAt: string | undefined; lost: readonly Suspect[] },
): Hold | undefined {
  if (asked !== undefined || endsAt !== undefined) return { policy: key, asked, endsAt, versions: [] };
  if (since === undefined) return undefined;
  const versions = new Map(carried.map((version): [string, HeldVersion] => [version, { version, commit: since }]));
  for (const { update, file, line, place } of lost) {
    if (versions.get(update.to)?.lost !== undefined) continue;
    versions.set(update.to, { version: update.to, lost: { file, line, place }, commit: since });
  }
  if (versions.size === 0) return undefined;
  return { policy: key, asked: undefined, endsAt: undefined, versions: [...versions.values()].slice(-maxHeldVersions) };
}

/** Files as they were. */
interface Past {
  /** Those that came later, newest first. */
  commitsAfter(commit: string): readonly string[];
  /** For each path its different contents in these commits. */
  readFiles(
    commits: readonly string[],
    paths: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly Uint8Array[]>>;
}

const treesAtOnce = 8;

function createPast(repo: PastRepo, chain: CommitChain, options: { signal: AbortSignal }): Past {
  return {
    commitsAfter: (commit) => chain.ids.slice(0, Math.max(0, chain.ids.indexOf(commit))),
    async readFiles(commits, paths) {
      if (paths.size === 0) return new Map();
      const oids = new Map<string, Set<string>>();
      await mapConcurrent(commits, treesAtOnce, async (commit) => {
        for (const [path, oid] of await repo.findFiles(commit, paths, options)) {
          oids.set(path, (oids.get(path) ?? new Set()).add(oid));
        }
      });
      const blobs = await repo.readBlobs(new Set([...oids.values()].flatMap((set) => [...set])), options);
      return new Map([...oids].map(([path, set]) => [path, [...set].flatMap((oid) => blobs.get(oid) ?? [])]));
    },
  };
}
