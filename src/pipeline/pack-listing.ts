/** Listings in as few bytes as they need: 5,000 repositories of 1,000 tags are kept at a time. */
import { z } from 'zod';
import { isTag } from '../image/reference.ts';
import type { TagListing } from './ports.ts';
import { readError, readJson, tellError, toldError } from './write-learned.ts';

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

/** When the registry says that the tag was pushed; undefined where it does not. */
export function pushTimeOf({ names, times }: PackedListing, tag: string): number | undefined {
  const timeMs = times?.[names.split('\n').indexOf(tag)];
  return timeMs === undefined || Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Whether both say the same; times count where both have them. */
export function isSameListing(a: PackedListing, b: PackedListing): boolean {
  if (a.names !== b.names) return false;
  const { times } = b;
  return a.times === undefined || times === undefined || a.times.every((time, index) => Object.is(time, times[index]));
}

const written = z.object({
  names: z.string(),
  times: z.array(z.number().nullable()).optional(),
  fault: toldError.optional(),
});

/** What was packed, as text. */
export function writeListing({ names, times, pushTimesFault }: PackedListing): string {
  return JSON.stringify({
    names,
    times: times && Array.from(times, (time) => (Number.isNaN(time) ? null : time)),
    fault: pushTimesFault === undefined ? undefined : tellError(pushTimesFault),
  } satisfies z.input<typeof written>);
}

/** What was written; undefined where it was not written so. */
export function readListing(text: string): PackedListing | undefined {
  const { names, times, fault } = readJson(written, text) ?? {};
  if (names === undefined) return undefined;
  const tags = names === '' ? [] : names.split('\n');
  const isInOrder = tags.every((tag, index) => isTag(tag) && (index === 0 || (tags[index - 1] ?? '') < tag));
  if (!isInOrder || (times !== undefined && times.length !== tags.length)) return undefined;
  return {
    names,
    times: times && Float64Array.from(times, (time) => time ?? Number.NaN),
    ...(fault !== undefined && { pushTimesFault: readError(fault) }),
  };
}
