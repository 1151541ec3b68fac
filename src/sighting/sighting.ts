/** What is known of tags since they were first there. */

/** A repository that nobody looked at for so long is forgotten: a leap year, for what runs once a year. Its tags are young when somebody comes back to it. */
export const keptMs = 366 * 86_400_000;

/** What is known of one tag. Times in milliseconds since 1970, by the clock of who looked. */
export interface LedgerEntry {
  /** When the tag was first listed, or its digest first seen to be another: the order of time among tags. */
  readonly seenMs: number;
  /** Digest last seen behind the tag, `sha256:…`; undefined where nobody looked. */
  readonly digest: string | undefined;
  /** When that digest was first seen behind it: its age counts from then; undefined without a digest. */
  readonly digestSeenMs: number | undefined;
  /** The digest before that one, where the tag was moved; that was seen at `digestSeenMs`. */
  readonly movedFrom: string | undefined;
}

/** That a tag is there now, and which digest is behind it, where that was looked at. */
export interface Sighting {
  readonly tag: string;
  readonly digest: string | undefined;
  /** When that was looked at, where an answer of before is told; absent: now. */
  readonly lookedMs?: number | undefined;
}

/** What was seen of a repository at `nowMs`. */
export interface RepositoryLook {
  readonly sightings: readonly Sighting[];
  /** The sightings are all tags there are. */
  readonly whole?: boolean | undefined;
  readonly nowMs: number;
}
