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

/** As it is asked, with what was expected of the repository until then. */
export interface AskedQuestion extends TagQuestion {
  readonly expectations: number;
}

export interface KeptListings {
  /** What is known; undefined where the registry is to be asked. */
  recall(question: TagQuestion): Answer<PackedListing> | undefined;
  /** The question that serves all who ask of that repository. */
  widen(question: TagQuestion): AskedQuestion;
  /** Keeps what a look at the registry gave; what is known now. */
  learn(asked: AskedQuestion, found: Answer<PackedListing>): Answer<PackedListing>;
  /** Has the registry asked at the next look, also where one is under way that may have come too early; how many repositories that are. */
  expect(concerns: (repository: ImageRepository) => boolean): number;
}

/** Times in milliseconds since 1970. */
interface Kept {
  readonly repository: ImageRepository;
  /** How often something new was expected. */
  readonly expectations: number;
  /** How often it had been when what is known was asked for. */
  readonly answered: number;
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

const nothing: Omit<Kept, 'repository'> = {
  expectations: 0,
  answered: 0,
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
      kept.set(name, { ...known, repository, usedMs: nowMs, ...(pushTimes && { timesWantedMs: nowMs }) });
      dropUnused(kept, nowMs);
      const lacksTimes = pushTimes && !known.timed && known.state.failures === 0;
      return lacksTimes || isLookDue(known.state, { ...intervals, nowMs }) ? undefined : toAnswer(known);
    },
    widen({ repository, pushTimes }) {
      const { timesWantedMs, expectations } = kept.get(formatCanonical(repository)) ?? nothing;
      return { repository, pushTimes: pushTimes || clock.nowMs() - timesWantedMs < forgetMs, expectations };
    },
    learn(asked, found) {
      const name = formatCanonical(asked.repository);
      const known = { ...(kept.get(name) ?? nothing), repository: asked.repository };
      // Answers to earlier questions may come later.
      if (asked.expectations < known.answered) return toAnswer(known);
      const timing = { ...intervals, nowMs: clock.nowMs(), random: clock.random() };
      const next =
        'error' in found
          ? { ...known, state: planNextLook(known.state, 'failed', timing), error: found.error }
          : renew(known, found.value, { timed: asked.pushTimes, timing });
      const answered = { ...next, answered: asked.expectations };
      kept.set(name, known.expectations > asked.expectations ? makeDue(answered) : answered);
      return toAnswer(next);
    },
    expect(concerns) {
      let count = 0;
      for (const [name, known] of kept) {
        if (!concerns(known.repository)) continue;
        count += 1;
        kept.set(name, makeDue({ ...known, expectations: known.expectations + 1 }));
      }
      return count;
    },
  };
}

function makeDue(known: Kept): Kept {
  return { ...known, state: { ...known.state, dueMs: 0 } };
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

function toAnswer({ state, listing, listedMs, error }: Omit<Kept, 'repository'>): Answer<PackedListing> {
  if (listing === undefined) return { error };
  return state.failures === 0 ? { value: listing } : { value: listing, stale: { error, sinceMs: listedMs } };
}

function dropUnused(kept: Map<string, Kept>, nowMs: number): void {
  for (const [name, { usedMs }] of kept) {
    if (kept.size <= maxRepositories && nowMs - usedMs < forgetMs) return;
    kept.delete(name);
  }
}
