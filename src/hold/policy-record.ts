/** What the commits of a branch say of one policy. */
import { findImageReference, type ImageRepository } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { PlacedCommit } from './known-past.ts';
import type { UpdateMark } from './marks.ts';

/** One commit of ours writes no more versions for one policy; where messages say more, the newest count. */
const maxCounted = 100;

/** A person asked to leave the policy alone. */
export interface AskedHold {
  readonly commit: string;
  readonly sinceMs: number;
  /** Empty where none was given. */
  readonly reason: string;
}

/** The memory about one policy. */
export interface PolicyRecord {
  /** Undefined where nobody asked for a hold, or it was ended. */
  readonly asked: AskedHold | undefined;
  /** What our newest commit for the policy wrote, behind what earlier ones wrote and it left standing; of others too, where it did not know them. */
  readonly written: readonly UpdateMark[];
  /** Those of the second kind. */
  readonly kept: readonly UpdateMark[];
  /** Versions that were taken away before that commit, and not resumed since. */
  readonly carried: readonly string[];
  /** A place that had a written version in the last of these commits or later, and has not now, lost it. Newest first; none where nothing was written. */
  readonly since: readonly string[];
  /** Whether older commits could say nothing more. */
  readonly settled: boolean;
}

/**
 * What the commits, newest first, say of the policy. Our newest commit for it is as far as one has to look, back to where its
 * own knowledge begins: it carries what was held before, and what older ones wrote where it wrote nothing. A hold that a
 * person asked for needs no further look either. The first `resume` after a hold ends that alone; after any other, what was
 * lost earlier counts no more. Versions of another image, which the policy had before, say nothing. Where `settled` is
 * false, commits behind the first `length` ones may say more.
 */
export function readPolicyRecord(
  { key: policy, repository }: Pick<Policy, 'key' | 'repository'>,
  { commits, length }: { commits: Iterable<PlacedCommit>; length: number },
): PolicyRecord {
  const end = { isSeen: false, open: undefined as string | undefined, freeing: undefined as string | undefined };
  const said: Said[] = [];
  let knownFrom = Number.POSITIVE_INFINITY;
  for (const { id, whenMs, marks, ...place } of commits) {
    if (place.position >= knownFrom) break;
    if (marks.resumes.includes(policy)) {
      end.isSeen = true;
      end.freeing ??= end.open;
      end.open = id;
    }
    const asked = marks.holds.findLast((mark) => mark.policy === policy);
    if (asked !== undefined && !end.isSeen) {
      const { reason } = asked;
      return { ...unknown, asked: { commit: id, sinceMs: whenMs, reason }, settled: true };
    }
    if (asked !== undefined) end.open = undefined;
    const isOwn = (update: UpdateMark): boolean => update.policy === policy && isImage(update.image, repository);
    const updates = marks.updates.filter(isOwn);
    if (updates.length === 0) continue;
    const freed = end.freeing ?? end.open;
    const held = marks.held.filter((mark) => mark.policy === policy).map(({ version }) => version);
    said.push({ updates, kept: marks.kept.filter(isOwn), held: freed === undefined ? held : [], since: freed ?? id });
    knownFrom = Math.min(knownFrom, place.knownFrom);
  }
  return joinSaid(said.reverse(), knownFrom <= length);
}

/** What one commit of ours says of the policy. */
interface Said {
  readonly updates: readonly UpdateMark[];
  readonly kept: readonly UpdateMark[];
  readonly held: readonly string[];
  readonly since: string;
}

/** Oldest first. */
function joinSaid(said: readonly Said[], settled: boolean): PolicyRecord {
  const since = [...new Set(said.map((one) => one.since))].reverse();
  return {
    asked: undefined,
    written: takeNewest(said.flatMap(({ kept, updates }) => [...kept, ...updates])),
    kept: takeNewest(said.flatMap(({ kept }) => kept)),
    carried: [...new Set(said.flatMap(({ held }) => held))],
    since: since.length > maxCounted ? [...since.slice(0, maxCounted), ...since.slice(-1)] : since,
    settled,
  };
}

/** Each once, where it was written last. */
function takeNewest(updates: readonly UpdateMark[]): readonly UpdateMark[] {
  const newest = new Map(
    updates
      .toReversed()
      .map((update) => [`${update.from} ${update.to}`, update] as const)
      .toReversed(),
  );
  return [...newest.values()].slice(-maxCounted);
}

/** However the image was spelled then: `nginx` is `docker.io/library/nginx`. */
function isImage(text: string, { host, path }: ImageRepository): boolean {
  const read = findImageReference(text);
  return read?.host === host && read.path === path;
}

const unknown: PolicyRecord = {
  asked: undefined,
  written: [],
  kept: [],
  carried: [],
  since: [],
  settled: false,
};
