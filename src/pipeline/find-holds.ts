/** Asks the Yaml repo's past whether a person took away what was written, or asked to leave a policy alone. */
import { groupBy } from '../collection/group-by.ts';
import { isEqualVersion, listSuspects, parseVersionText } from '../hold/find-lost.ts';
import { type HeldVersion, type Hold, maxHeldVersions } from '../hold/hold.ts';
import { placeCommits } from '../hold/known-past.ts';
import type { UpdateMark } from '../hold/marks.ts';
import { type PolicyRecord, readPolicyRecord } from '../hold/policy-record.ts';
import { readPastPlaces } from '../hold/read-past-places.ts';
import type { Policy } from '../policy/policy.ts';
import { findSites } from '../target/find-sites.ts';
import { type CurrentVersion, formatPlace, readCurrent, type Target } from '../target/target.ts';
import { type CommitChain, extendChain, linkCommits, openChain } from './commit-chain.ts';
import { findLosses, type LossQuestion, type PastRepo } from './find-losses.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** What one Yaml repo's past was asked before. */
export interface HoldMemory {
  /** The holds among these policies at a commit, by their keys; `targets` are all places of theirs at that commit. */
  find(repo: PastRepo, question: HoldQuestion, options: CallOptions): Promise<FoundHolds>;
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
      const questions = open.map((policy): LossQuestion => {
        const own = byPolicy.get(policy.key) ?? [];
        const { written = [], since = [] } = read.records.get(policy.key) ?? {};
        return { policy, targets: own, suspects: listSuspects(policy, written, own), since };
      });
      const asked = questions.filter(({ suspects }) => suspects.length > 0);
      const losses = await findLosses(repo, { ids: chain.ids, questions: asked }, options);
      for (const { policy, targets: own } of questions) {
        const { key } = policy;
        const record = read.records.get(key);
        if (record === undefined) continue;
        const left = await dropReturned(repo, { record, policy, targets: own }, options);
        const endsAt = record.settled ? undefined : chain.cut;
        const lost = losses.get(policy) ?? new Map<UpdateMark, Target>();
        answers.set(key, { hold: toHold(left, { key, endsAt, lost }), written: record.written });
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
  options: CallOptions,
): Promise<{ chain: CommitChain; records: ReadonlyMap<string, PolicyRecord> }> {
  const records = new Map<string, PolicyRecord>();
  let reached = chain;
  for (;;) {
    options.signal.throwIfAborted();
    const commits = policies.length === 0 ? [] : placeCommits(reached.marked, linkCommits(reached));
    const length = reached.cut === undefined ? reached.ids.length : reached.ids.indexOf(reached.cut) + 1;
    for (const policy of policies) {
      if (records.get(policy.key)?.settled === true) continue;
      records.set(policy.key, readPolicyRecord(policy, { commits, length }));
    }
    if (reached.complete || [...records.values()].every(({ settled }) => settled)) return { chain: reached, records };
    reached = await extendChain(repo, reached, options);
  }
}

interface Returned {
  readonly policy: Policy;
  readonly targets: readonly Target[];
}

/** A version that stands somewhere again was put there by a person: it is not held any more. */
async function dropReturned(
  repo: PastRepo,
  { record, policy, targets }: Returned & { record: PolicyRecord },
  options: CallOptions,
): Promise<PolicyRecord> {
  const present = targets.map(readCurrent);
  const kept = record.kept.map(({ to }) => parseVersionText(to));
  const carried: string[] = [];
  for (const text of record.carried) {
    const version = parseVersionText(text);
    const count = present.filter((current) => isEqualVersion(current, version)).length;
    // Where it was lost in one place only, it never was away from others.
    const stood = count > 0 && kept.some((other) => isEqualVersion(other, version));
    const asked = { version, policy, targets, commit: record.since[0] ?? '' };
    const before = stood ? await countPast(repo, asked, options) : 0;
    if (count <= before) carried.push(text);
  }
  return { ...record, carried };
}

/** How many places had the version at a commit, in files that have places now. */
async function countPast(
  repo: PastRepo,
  { version, policy, targets, commit }: Returned & { version: CurrentVersion; commit: string },
  options: CallOptions,
): Promise<number> {
  const byFile = groupBy(targets, ({ file }) => file);
  const oids = await repo.findFiles(commit, byFile.keys(), options);
  const blobs = await repo.readBlobs(new Set(oids.values()), options);
  return [...oids].reduce((sum, [file, oid]) => {
    const bytes = blobs.get(oid);
    if (bytes === undefined) return sum;
    const past = { file, bytes, sites: findSites(bytes, file) };
    const places = readPastPlaces(past, { policy, present: byFile.get(file) ?? [] });
    return sum + places.filter((place) => isEqualVersion(place.version, version)).length;
  }, 0);
}

function toHold(
  { asked, carried, since: [since] }: PolicyRecord,
  { key, endsAt, lost }: { key: string; endsAt: string | undefined; lost: ReadonlyMap<UpdateMark, Target> },
): Hold | undefined {
  if (asked !== undefined || endsAt !== undefined) return { policy: key, asked, endsAt, versions: [] };
  if (since === undefined) return undefined;
  const versions = new Map(carried.map((version): [string, HeldVersion] => [version, { version, commit: since }]));
  for (const [{ to }, target] of lost) {
    if (versions.get(to)?.lost !== undefined) continue;
    const { line } = target.site.scalars[0] ?? {};
    versions.set(to, { version: to, lost: { file: target.file, line, place: formatPlace(target) }, commit: since });
  }
  if (versions.size === 0) return undefined;
  return { policy: key, asked: undefined, endsAt: undefined, versions: [...versions.values()].slice(-maxHeldVersions) };
}
