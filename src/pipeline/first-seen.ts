/** What the ledger knows of the repositories that one decision is about. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import { findPacked, packEntries, unpackEntries } from '../sighting/pack-entries.ts';
import type { LedgerEntry, Sighting } from '../sighting/sighting.ts';
import type { Answer } from './answer.ts';
import type { Ledger } from './job-ports.ts';
import { needsPushTimes } from './policy-problems.ts';
import type { Clock } from './ports.ts';

type Entries = ReadonlyMap<string, LedgerEntry>;

/** Knows nothing at first, and nothing longer than the decision takes: another process may know more by then. */
export interface FirstSeen {
  /** Takes in all tags of a repository; only new ones are written. */
  recordTags(repository: ImageRepository, tags: readonly string[]): Promise<void>;
  /** Takes in which digests are behind tags. */
  recordDigests(repository: ImageRepository, sightings: readonly Sighting[]): Promise<void>;
  /** Why nothing could be taken in; undefined where it could, or was not to be. */
  faultOf(repository: ImageRepository): { readonly error: unknown } | undefined;
  /** All that is known; undefined where nothing was taken in, or could be. */
  entriesOf(repository: ImageRepository): Entries | undefined;
  /** The same of one tag. */
  entryOf(repository: ImageRepository, tag: string): LedgerEntry | undefined;
  /** Whether any of its tags was moved, after that time if one is given. */
  knowsMoves(repository: ImageRepository, afterMs?: number): boolean;
}

/** Packed, for a pass holds those of thousands of repositories at once: a fifth of the memory. */
interface Known {
  readonly text: string;
  /** When a tag was last moved; -Infinity: never. */
  readonly movedMs: number;
}

interface SeeingOptions {
  /** By the ledger's clock, as `askTime` tells it; without it nothing is recorded, for an age of another clock is none. */
  readonly now: Answer<LedgerTime>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly signal: AbortSignal;
}

export function createFirstSeen(ledger: Ledger, { now, clock, signal }: SeeingOptions): FirstSeen {
  const known = new Map<string, Answer<Known>>();
  let last: { readonly text: string; readonly entries: Entries } | undefined;

  async function record(repository: ImageRepository, sightings: readonly Sighting[], whole: boolean): Promise<void> {
    const name = formatCanonical(repository);
    if ('error' in now) {
      known.set(name, now);
      return;
    }
    try {
      // Not when the decision began: what came meanwhile was not there then.
      const look = { sightings, whole, nowMs: clock.nowMs() + now.value.aheadMs };
      known.set(name, { value: pack(name, await ledger.record(name, look, { signal })) });
    } catch (error) {
      signal.throwIfAborted();
      known.set(name, { error });
    }
  }

  function find(repository: ImageRepository): Known | undefined {
    const answer = known.get(formatCanonical(repository));
    return answer !== undefined && 'value' in answer ? answer.value : undefined;
  }

  return {
    recordTags: (repository, tags) =>
      record(
        repository,
        tags.map((tag) => ({ tag, digest: undefined })),
        true,
      ),
    recordDigests: (repository, sightings) => record(repository, sightings, false),
    faultOf(repository) {
      const answer = known.get(formatCanonical(repository));
      return answer !== undefined && 'error' in answer ? answer : undefined;
    },
    entriesOf(repository) {
      const text = find(repository)?.text;
      if (text === undefined) return undefined;
      // The policies of one repository mostly come one after the other.
      if (last?.text !== text) last = { text, entries: unpack(formatCanonical(repository), text) };
      return last.entries;
    },
    entryOf(repository, tag) {
      const text = find(repository)?.text;
      return text === undefined ? undefined : findPacked(text, tag);
    },
    knowsMoves: (repository, afterMs = Number.NEGATIVE_INFINITY) => (find(repository)?.movedMs ?? afterMs) > afterMs,
  };
}

function pack(name: string, entries: Entries): Known {
  let movedMs = Number.NEGATIVE_INFINITY;
  for (const { movedFrom, digestSeenMs = 0 } of entries.values())
    if (movedFrom !== undefined && digestSeenMs > movedMs) movedMs = digestSeenMs;
  return { text: packEntries(name, entries), movedMs };
}

function unpack(name: string, text: string): Entries {
  const unpacked = unpackEntries(name, text);
  if ('fault' in unpacked) throw new Error(`What was packed of "${name}" is damaged: ${unpacked.fault}`);
  return unpacked.entries;
}

/** The ledger's time when it was asked, and how far that is ahead of the clock here. In milliseconds, the time since 1970. */
interface LedgerTime {
  readonly nowMs: number;
  readonly aheadMs: number;
}

/** The time that ages count to; that of the clock here where the ledger has none of its own. */
export async function askTime(
  ledger: Pick<Ledger, 'nowMs'>,
  { clock, signal }: { clock: Pick<Clock, 'nowMs'>; signal: AbortSignal },
): Promise<Answer<LedgerTime>> {
  try {
    const told = await ledger.nowMs({ signal });
    const ownMs = clock.nowMs();
    const nowMs = told ?? ownMs;
    return { value: { nowMs, aheadMs: nowMs - ownMs } };
  } catch (error) {
    signal.throwIfAborted();
    return { error };
  }
}

/** Whether the policy is decided by what the ledger knows: where the registry tells times, those count alone. */
export function needsLedger(policy: Policy, { times }: { times: unknown }): boolean {
  return needsPushTimes(policy) && times === undefined;
}
