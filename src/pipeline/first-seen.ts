/** What the ledger knows of the repositories that one decision is about. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { LedgerEntry, Sighting } from '../sighting/sighting.ts';
import type { Answer } from './answer.ts';
import type { Ledger } from './job-ports.ts';
import { needsPushTimes } from './policy-problems.ts';

type Entries = ReadonlyMap<string, LedgerEntry>;

/** Knows nothing at first, and nothing longer than the decision takes: another process may know more by then. */
export interface FirstSeen {
  /** Takes in all tags of a repository; only new ones are written. */
  recordTags(repository: ImageRepository, tags: readonly string[]): Promise<void>;
  /** Takes in which digests are behind tags. */
  recordDigests(repository: ImageRepository, sightings: readonly Sighting[]): Promise<void>;
  /** What is known; the failure where the ledger was not to be had; undefined where nothing was taken in. */
  entriesOf(repository: ImageRepository): Answer<Entries> | undefined;
}

export function createFirstSeen(ledger: Ledger, { nowMs, signal }: { nowMs: number; signal: AbortSignal }): FirstSeen {
  const known = new Map<string, Answer<Entries>>();
  async function record(repository: ImageRepository, sightings: readonly Sighting[], whole: boolean): Promise<void> {
    const name = formatCanonical(repository);
    try {
      const look = { sightings, whole, nowMs };
      known.set(name, { value: await ledger.record(name, look, { signal }) });
    } catch (error) {
      signal.throwIfAborted();
      known.set(name, { error });
    }
  }
  return {
    recordTags: (repository, tags) =>
      record(
        repository,
        tags.map((tag) => ({ tag, digest: undefined })),
        true,
      ),
    recordDigests: (repository, sightings) => record(repository, sightings, false),
    entriesOf: (repository) => known.get(formatCanonical(repository)),
  };
}

/** What the ledger knows of the repository's tags; undefined where nothing was taken in, or could be. */
export function findEntries(firstSeen: FirstSeen, repository: ImageRepository): Entries | undefined {
  const seen = firstSeen.entriesOf(repository);
  return seen !== undefined && 'value' in seen ? seen.value : undefined;
}

/** Whether the policy is decided by what the ledger knows: where the registry tells times, those count alone. */
export function needsLedger(policy: Policy, { times }: { times: unknown }): boolean {
  return needsPushTimes(policy) && times === undefined;
}
