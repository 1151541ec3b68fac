/** When an image repository, or a tag in it, is looked at again. */

/** What the next look depends on. Plain data; times in milliseconds since 1970. */
export interface LookState {
  /** When the answer was last seen to differ from the one before; undefined where there is none yet. */
  readonly changedMs: number | undefined;
  /** Looks that failed since the last that did not. */
  readonly failures: number;
  readonly dueMs: number;
}

export const neverLooked: LookState = { changedMs: undefined, failures: 0, dueMs: 0 };

export interface LookIntervals {
  /** Between two looks at a repository that changed lately; also how often its watchers come. */
  readonly intervalMs: number;
  /** Between two looks at one that has not changed for long. */
  readonly maxIntervalMs: number;
}

/** `refused`: a failure that lasts until a person acts, and is over as soon as one does. */
export type LookOutcome = 'changed' | 'same' | 'failed' | 'refused';

/** One that rests for four hours is looked at every five minutes: at the most so much later is a change seen. */
const restShare = 50;
const maxBackoffMs = 15 * 60_000;
/** Who has put a credential right waits for its effect no longer. */
const maxRefusedMs = 5 * 60_000;
const maxRefusedIntervals = 5;
/** Of an interval: both looks and watchers vary by a tenth, and who comes a little early is not sent away for a whole round. */
const slack = 0.2;

/**
 * The state after a look. Due again after a fixed share of the time since the last change, within the intervals, as HTTP
 * caches guess freshness (RFC 9111, section 4.2.2); after a failure `intervalMs`, doubled with each that follows, up to 15
 * minutes, or if it was refused up to five intervals and 5 minutes. All vary by a tenth, so that repositories spread;
 * `random` is at least 0, below 1.
 */
export function planNextLook(
  state: LookState,
  outcome: LookOutcome,
  { nowMs, random, intervalMs, maxIntervalMs }: LookIntervals & { nowMs: number; random: number },
): LookState {
  const failed = outcome === 'failed' || outcome === 'refused';
  const failures = failed ? state.failures + 1 : 0;
  const changedMs = failed || outcome === 'same' ? state.changedMs : nowMs;
  const longestMs = outcome === 'refused' ? Math.min(maxRefusedIntervals * intervalMs, maxRefusedMs) : maxBackoffMs;
  const backoffMs = Math.min(intervalMs * 2 ** Math.min(failures - 1, 20), Math.max(intervalMs, longestMs));
  const restMs = (nowMs - (changedMs ?? nowMs)) / restShare;
  const waitMs = failed ? backoffMs : Math.max(intervalMs, Math.min(restMs, maxIntervalMs));
  return { changedMs, failures, dueMs: nowMs + waitMs * (0.9 + 0.2 * random) };
}

/** Whether the registry is to be asked now; also where the clock was set back, so that no look is lost for long. */
export function isLookDue(
  { dueMs }: LookState,
  { nowMs, intervalMs, maxIntervalMs }: LookIntervals & { nowMs: number },
): boolean {
  const restMs = dueMs - nowMs;
  return restMs <= intervalMs * slack || restMs > 1.1 * Math.max(intervalMs, maxIntervalMs, maxBackoffMs);
}
