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

interface SeeingOptions {
  /** By the ledger's clock, as `askTime` tells it; without it nothing is recorded, for an age of another clock is none. */
  readonly now: Answer<number>;
  readonly signal: AbortSignal;
}

export function createFirstSeen(ledger: Ledger, { now, signal }: SeeingOptions): FirstSeen {
  const known = new Map<string, Answer<Entries>>();
  async function record(repository: ImageRepository, sightings: readonly Sighting[], whole: boolean): Promise<void> {
    const name = formatCanonical(repository);
    if ('error' in now) {
      known.set(name, now);
      return;
    }
    try {
      const look = { sightings, whole, nowMs: now.value };
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

/** The time that ages count to; `nowMs` where the ledger has no clock of its own. */
export async function askTime(
  ledger: Pick<Ledger, 'nowMs'>,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<Answer<number>> {
  try {
    return { value: (await ledger.nowMs({ signal })) ?? nowMs };
  } catch (error) {
    signal.throwIfAborted();
    return { error };
  }
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
