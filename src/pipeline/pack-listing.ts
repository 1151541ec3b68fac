/** Listings in as few bytes as they need: 5,000 repositories of 1,000 tags are kept at a time. */
import type { TagListing } from './ports.ts';

/** As arrays and maps of strings the same takes five to ten times as much. */
export interface PackedListing {
  /** In code-unit order, a line each. V8 keeps it at one byte a character. */
  readonly names: string;
  /** For each name; NaN where none is known of that tag. */
  readonly times: Float64Array | undefined;
  /** As in the listing. */
  readonly pushTimesFault?: unknown;
}

/** Order and repeats are lost: they mean nothing. */
export function packListing({ tags, pushedMs, pushTimesFault }: TagListing): PackedListing {
  const sorted = [...new Set(tags)].sort();
  return {
    names: sorted.join('\n'),
    times: pushedMs && Float64Array.from(sorted, (tag) => pushedMs.get(tag) ?? Number.NaN),
    ...(pushTimesFault !== undefined && { pushTimesFault }),
  };
}

/** What was packed, in code-unit order. */
export function unpackListing({ names, times, ...fault }: PackedListing): TagListing {
  const tags = names === '' ? [] : names.split('\n');
  if (times === undefined) return { tags, pushedMs: undefined, ...fault };
  const known = tags.flatMap((tag, index) => {
    const timeMs = times[index] ?? Number.NaN;
    return Number.isNaN(timeMs) ? [] : [[tag, timeMs] as const];
  });
  return { tags, pushedMs: new Map(known), ...fault };
}

/** Whether both say the same; times count where both have them. */
export function isSameListing(a: PackedListing, b: PackedListing): boolean {
  if (a.names !== b.names) return false;
  const { times } = b;
  return a.times === undefined || times === undefined || a.times.every((time, index) => Object.is(time, times[index]));
}
