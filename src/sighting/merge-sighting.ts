/** What the ledger knows of tags after somebody looked: an age only ever begins anew, it never grows by looking. */
import type { LedgerEntry, RepositoryLook } from './sighting.ts';

/** A look at a tag. */
interface Look {
  /** Undefined where only the tag's name was seen. */
  readonly digest: string | undefined;
  /** Absent: now. */
  readonly lookedMs?: number | undefined;
  readonly nowMs: number;
}

/**
 * The entry after a look; the same object where nothing changed. A digest that is seen for the first time is as old as the
 * look, for the tag may have been moved since it was listed; another digest begins all anew, unless the look is older than
 * what is known. Times after `nowMs` stay: what was seen by a clock that is ahead waits, and grows no older by a look.
 *
 * @example
 * mergeSighting({ seenMs: 1, digest: undefined, digestSeenMs: undefined, movedFrom: undefined }, { digest: 'sha256:ab', nowMs: 5 }).digestSeenMs // 5
 */
export function mergeSighting(entry: LedgerEntry | undefined, { digest, lookedMs, nowMs }: Look): LedgerEntry {
  const digestSeenMs = digest === undefined ? undefined : nowMs;
  if (entry === undefined) return { seenMs: nowMs, digest, digestSeenMs, movedFrom: undefined };
  if (digest === undefined || digest === entry.digest) return entry;
  if (entry.digest === undefined) return { ...entry, digest, digestSeenMs };
  if ((lookedMs ?? nowMs) < (entry.digestSeenMs ?? 0)) return entry;
  return { seenMs: Math.max(nowMs, entry.seenMs), digest, digestSeenMs, movedFrom: entry.digest };
}

/** Beside those that are listed, and as many again, so many tags are remembered that are there no more. */
const maxVanished = 10_000;

/**
 * All entries of a repository after a look at it; the same map where nothing changed. Tags that were not sighted stay: they
 * may come back. Of those that vanished the longest known are forgotten where they are too many, which makes them young again.
 *
 * @example
 * mergeSightings(new Map(), { sightings: [{ tag: '1.0.0', digest: undefined }], nowMs: 5 }).get('1.0.0')?.seenMs // 5
 */
export function mergeSightings(
  entries: ReadonlyMap<string, LedgerEntry>,
  { sightings, whole = false, nowMs }: RepositoryLook,
): ReadonlyMap<string, LedgerEntry> {
  const changed = new Map<string, LedgerEntry>();
  for (const { tag, digest, lookedMs } of sightings) {
    const known = changed.get(tag) ?? entries.get(tag);
    const next = mergeSighting(known, { digest, lookedMs, nowMs });
    if (next !== known) changed.set(tag, next);
  }
  if (changed.size === 0) return entries;
  const merged = new Map([...entries, ...changed]);
  return whole ? forgetVanished(merged, new Set(sightings.map(({ tag }) => tag))) : merged;
}

function forgetVanished(
  entries: ReadonlyMap<string, LedgerEntry>,
  listed: ReadonlySet<string>,
): ReadonlyMap<string, LedgerEntry> {
  const excess = entries.size - 2 * listed.size - maxVanished;
  if (excess <= 0) return entries;
  const vanished = [...entries].filter(([tag]) => !listed.has(tag)).sort(([, a], [, b]) => a.seenMs - b.seenMs);
  const forgotten = new Set(vanished.slice(0, excess).map(([tag]) => tag));
  return new Map([...entries].filter(([tag]) => !forgotten.has(tag)));
}
