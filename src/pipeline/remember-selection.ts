/** Selections by all that they were made from, so that a pass in which nothing changed decides nothing. */
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { TagFacts } from '../select/tag-facts.ts';
import { isSameListing, type PackedListing } from './pack-listing.ts';

/** All that a selection depends on, where no person holds the policy. */
export interface SelectionQuestion {
  readonly policy: Policy;
  readonly listing: PackedListing;
  /** What Git has now. */
  readonly current: string | undefined;
  /** What manifests said, by tag. */
  readonly asked: ReadonlyMap<string, TagFacts>;
  /** In milliseconds since 1970. */
  readonly nowMs: number;
}

/** Counts from the one moment until before the other, in milliseconds since 1970. */
interface Remembered {
  readonly selection: Selection;
  readonly fromMs: number;
  readonly untilMs: number;
}

interface PolicyMemory {
  readonly listing: PackedListing;
  readonly selections: ReadonlyMap<string, Remembered>;
}

/** Goes away with the policy; of its listings the last one counts. */
const memories = new WeakMap<Policy, PolicyMemory>();
/** Versions that the places of one policy have, times what manifests said. */
const maxSelections = 100;

/** The selection made for the same question before; undefined where there was none, or time may have changed it. */
export function recallSelection(question: SelectionQuestion): Selection | undefined {
  const { policy, listing, nowMs } = question;
  const memory = memories.get(policy);
  if (memory === undefined || !isEqualListing(memory.listing, listing)) return undefined;
  // The registry's newest answer takes the place of the equal one before, which is let go.
  if (memory.listing !== listing) memories.set(policy, { ...memory, listing });
  const known = memory.selections.get(formatQuestion(question));
  return known !== undefined && known.fromMs <= nowMs && nowMs < known.untilMs ? known.selection : undefined;
}

/** Keeps the selection as the answer to that question. */
export function rememberSelection(question: SelectionQuestion, selection: Selection): void {
  const { policy, listing } = question;
  const memory = memories.get(policy);
  const known = memory !== undefined && isEqualListing(memory.listing, listing) ? memory.selections : new Map();
  const selections = new Map(known.size < maxSelections ? known : []);
  selections.set(formatQuestion(question), { selection, ...findSpan(question) });
  memories.set(policy, { listing, selections });
}

function formatQuestion({ current, asked }: SelectionQuestion): string {
  return JSON.stringify([current ?? null, [...asked]]);
}

/** Age alone makes a selection depend on time: it counts until the next tag has the age. */
function findSpan({ policy, listing, nowMs }: SelectionQuestion): Pick<Remembered, 'fromMs' | 'untilMs'> {
  const { minimumAgeMs } = policy;
  if (minimumAgeMs === 0) return { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
  let untilMs = Number.POSITIVE_INFINITY;
  for (const seenMs of listing.times ?? []) {
    const wakeMs = seenMs + minimumAgeMs;
    if (wakeMs > nowMs && wakeMs < untilMs) untilMs = wakeMs;
  }
  return { fromMs: nowMs, untilMs };
}

function isEqualListing(a: PackedListing, b: PackedListing): boolean {
  return a === b || ((a.times === undefined) === (b.times === undefined) && isSameListing(a, b));
}
