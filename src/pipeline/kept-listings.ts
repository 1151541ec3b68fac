/** What was last known of each image repository, and when it is looked at again. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Answer } from './answer.ts';
import { isSameListing, type PackedListing } from './pack-listing.ts';
import { isLookDue, type LookIntervals, type LookState, neverLooked, planNextLook } from './plan-next-look.ts';
import type { Clock } from './ports.ts';

/** A repository, and whether the times of its pushes are wanted too. */
export interface TagQuestion {
  readonly repository: ImageRepository;
  readonly pushTimes: boolean;
}

export interface KeptListings {
  /** What is known; undefined where the registry is to be asked. */
  recall(question: TagQuestion): Answer<PackedListing> | undefined;
  /** The question that serves all who ask of that repository. */
  widen(question: TagQuestion): TagQuestion;
  /** Keeps what a look at the registry gave; what is known now. */
  learn(asked: TagQuestion, found: Answer<PackedListing>): Answer<PackedListing>;
}

/** Times in milliseconds since 1970. */
interface Kept {
  readonly state: LookState;
  /** The last whole listing, and when it came. */
  readonly listing: PackedListing | undefined;
  readonly listedMs: number;
  /** Whether that look asked for push times: a registry may have told none. */
  readonly timed: boolean;
  /** What the last look failed with; counts where `state` has failures. */
  readonly error: unknown;
  readonly usedMs: number;
  /** When push times were last wanted. */
  readonly timesWantedMs: number;
}

const nothing: Kept = {
  state: neverLooked,
  listing: undefined,
  listedMs: 0,
  timed: false,
  error: undefined,
  usedMs: 0,
  timesWantedMs: Number.NEGATIVE_INFINITY,
};

/** What nobody asked for in so long is dropped: twice the longest interval between passes. */
const forgetMs = 48 * 3_600_000;
const maxRepositories = 50_000;

/** Nothing is known at first. */
export function createKeptListings({
  clock,
  ...intervals
}: LookIntervals & { clock: Pick<Clock, 'nowMs' | 'random'> }): KeptListings {
  /** The longest unused first. */
  const kept = new Map<string, Kept>();
  return {
    recall({ repository, pushTimes }) {
      const nowMs = clock.nowMs();
      const name = formatCanonical(repository);
      const known = kept.get(name) ?? nothing;
      kept.delete(name);
      kept.set(name, { ...known, usedMs: nowMs, ...(pushTimes && { timesWantedMs: nowMs }) });
      dropUnused(kept, nowMs);
      const lacksTimes = pushTimes && !known.timed && known.state.failures === 0;
      return lacksTimes || isLookDue(known.state, { ...intervals, nowMs }) ? undefined : toAnswer(known);
    },
    widen({ repository, pushTimes }) {
      const { timesWantedMs } = kept.get(formatCanonical(repository)) ?? nothing;
      return { repository, pushTimes: pushTimes || clock.nowMs() - timesWantedMs < forgetMs };
    },
    learn(asked, found) {
      const name = formatCanonical(asked.repository);
      const known = kept.get(name) ?? nothing;
      const timing = { ...intervals, nowMs: clock.nowMs(), random: clock.random() };
      const next =
        'error' in found
          ? { ...known, state: planNextLook(known.state, 'failed', timing), error: found.error }
          : renew(known, found.value, { timed: asked.pushTimes, timing });
      kept.set(name, next);
      return toAnswer(next);
    },
  };
}

function renew(
  known: Kept,
  listing: PackedListing,
  { timed, timing }: { timed: boolean; timing: Parameters<typeof planNextLook>[2] },
): Kept {
  const same = known.listing !== undefined && isSameListing(known.listing, listing);
  const state = planNextLook(known.state, same ? 'same' : 'changed', timing);
  return { ...known, state, listing, listedMs: timing.nowMs, timed, error: undefined };
}

function toAnswer({ state, listing, listedMs, error }: Kept): Answer<PackedListing> {
  if (listing === undefined) return { error };
  return state.failures === 0 ? { value: listing } : { value: listing, stale: { error, sinceMs: listedMs } };
}

function dropUnused(kept: Map<string, Kept>, nowMs: number): void {
  for (const [name, { usedMs }] of kept) {
    if (kept.size <= maxRepositories && nowMs - usedMs < forgetMs) return;
    kept.delete(name);
  }
}
