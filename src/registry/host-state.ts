/** What is remembered of how a host bears the requests it gets: pure functions from one state to the next. */
import type { Exchange } from './http.ts';
import { type PullBudget, parsePullBudget } from './pull-budget.ts';
import { minWaitMs, parseRetryAfter } from './retry.ts';

/** Times in milliseconds since 1970. */
export interface HostState {
  /** Nothing is sent before; 0 where nothing holds it back. */
  readonly pausedUntilMs: number;
  /** Why: `asked`, the host wants it; `silent`, it did not answer. */
  readonly pausedBy: 'asked' | 'silent';
  /** Tries in a row that found nobody or a server error. */
  readonly failures: number;
  /** 429 answers in a row. */
  readonly throttles: number;
  /** Requests at a time that the host is trusted to bear, at least 1. */
  readonly bearable: number;
  /** Good answers since `bearable` changed. */
  readonly calm: number;
  /** The earliest moment of the next request, where a rate is set. */
  readonly nextSlotMs: number;
  /** What the host says is left of its pulls. */
  readonly pulls: PullBudget | undefined;
}

export const freshState: HostState = {
  pausedUntilMs: 0,
  pausedBy: 'asked',
  failures: 0,
  throttles: 0,
  bearable: Number.POSITIVE_INFINITY,
  calm: 0,
  nextSlotMs: 0,
  pulls: undefined,
};

/** Two calls of three tries each: then the circuit opens. */
export const failuresToOpen = 6;
const firstOpenMs = 15_000;
const longestOpenMs = 10 * 60_000;
/** However long a host asks to wait, it is asked again after that. */
const longestPauseMs = 60 * 60_000;
/** Good answers for each place in flight before one more is tried. */
const calmForMore = 4;

interface Moment {
  readonly nowMs: number;
  /** From 0 to less than 1. */
  readonly chance: number;
  /** Requests in flight that the settings allow. */
  readonly maxInFlight: number;
}

/** The state after a try. */
export function noteOutcome(state: HostState, outcome: Exchange, moment: Moment): HostState {
  if (outcome.kind === 'failed') {
    return outcome.error.code === 'RegistryUnavailable' ? noteSilence(state, moment) : state;
  }
  const { status, headers } = outcome.answer;
  const pulls = parsePullBudget(headers, moment.nowMs) ?? state.pulls;
  const askedMs = parseRetryAfter(headers['retry-after'], moment.nowMs);
  if (status === 429 || (status === 503 && askedMs !== undefined)) {
    return noteThrottle({ ...state, pulls }, askedMs, moment);
  }
  if (status >= 500) return noteSilence({ ...state, pulls }, moment);
  return noteGood({ ...state, pulls }, moment);
}

/** Half as many at a time from now on, and none before the time is over that was asked for. */
function noteThrottle(state: HostState, askedMs: number | undefined, moment: Moment): HostState {
  const isLate = moment.nowMs < state.pausedUntilMs;
  const waitMs = Math.max(minWaitMs, askedMs ?? minWaitMs * 2 ** Math.min(state.throttles, 10));
  const pausedUntilMs = Math.max(state.pausedUntilMs, moment.nowMs + Math.min(waitMs, longestPauseMs));
  // Sent before the pause began: what it says has been heard.
  if (isLate) return { ...state, pausedUntilMs };
  const bearable = Math.max(1, Math.floor(Math.min(state.bearable, moment.maxInFlight) / 2));
  return { ...state, throttles: state.throttles + 1, failures: 0, bearable, calm: 0, pausedUntilMs, pausedBy: 'asked' };
}

/** After some failures in a row the host is left alone, longer each time one more try finds it unchanged. */
function noteSilence(state: HostState, { nowMs, chance }: Moment): HostState {
  if (isOpen(state) && nowMs < state.pausedUntilMs) return state;
  const failures = state.failures + 1;
  if (failures < failuresToOpen) return { ...state, failures };
  const openMs = Math.min(firstOpenMs * 2 ** Math.min(failures - failuresToOpen, 10), longestOpenMs);
  return { ...state, failures, pausedUntilMs: nowMs + openMs * (0.8 + 0.4 * chance), pausedBy: 'silent' };
}

function noteGood(state: HostState, { maxInFlight }: Moment): HostState {
  const calm = state.calm + 1;
  const mayGrow = state.bearable < maxInFlight && calm >= calmForMore * state.bearable;
  return {
    ...state,
    failures: 0,
    throttles: 0,
    bearable: mayGrow ? state.bearable + 1 : state.bearable,
    calm: mayGrow ? 0 : calm,
  };
}

/** Whether the circuit is open or half open: one try decides whether the others may follow. */
export function isOpen({ failures }: HostState): boolean {
  return failures >= failuresToOpen;
}
