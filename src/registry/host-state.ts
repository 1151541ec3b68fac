/** What is remembered of how a host bears the requests it gets: pure functions from one state to the next. */
import type { Exchange } from './http.ts';
import { minWaitMs, parseRetryAfter } from './retry.ts';

/** Times in milliseconds since 1970. */
export interface HostState {
  /** Nothing is sent before; 0 where nothing holds it back. */
  readonly pausedUntilMs: number;
  /** Why: `asked`, the host wants it; `silent`, it did not answer. */
  readonly pausedBy: 'asked' | 'silent';
  /** Tries in a row that got no answer. */
  readonly failures: number;
  /** What the last of them found: `the connection was refused (ghcr.io, ECONNREFUSED)` */
  readonly fault: string;
  /** Different tasks in a row that a gateway answered because what is behind it did not; bounded. */
  readonly stranded: readonly string[];
  /** 429 answers in a row. */
  readonly throttles: number;
  /** Requests at a time that the host is trusted to bear, at least 1. */
  readonly bearable: number;
  /** Good answers since `bearable` changed. */
  readonly calm: number;
  /** The earliest moment of the next request, where a rate is set. */
  readonly nextSlotMs: number;
}

export const freshState: HostState = {
  pausedUntilMs: 0,
  pausedBy: 'asked',
  failures: 0,
  fault: '',
  stranded: [],
  throttles: 0,
  bearable: Number.POSITIVE_INFINITY,
  calm: 0,
  nextSlotMs: 0,
};

/** Two calls of three tries each: then the circuit opens. */
const failuresToOpen = 6;
/** One repository's backend may be gone (a proxy cache of a registry that is down); with so many, the host's is. */
const strandedToOpen = 10;
const gatewayStatuses: readonly number[] = [502, 503, 504];
const firstOpenMs = 15_000;
const longestOpenMs = 10 * 60_000;
/** However long a host asks to wait, it is asked again after that. */
const longestPauseMs = 60 * 60_000;
/** Requests that may go out at once after a quiet time, as milliseconds of the rate. */
const burstMs = 1000;
/** Good answers for each place in flight before one more is tried. */
const calmForMore = 4;

interface Moment {
  /** Of the host that the state is of. */
  readonly origin: string;
  /** What was tried: `list the tags of "ghcr.io/acme/web"` */
  readonly task: string;
  readonly nowMs: number;
  /** From 0 to less than 1. */
  readonly chance: number;
  /** Requests in flight that the settings allow. */
  readonly maxInFlight: number;
}

/**
 * The state after a try. What became of a redirect elsewhere says nothing but that the host answered; a server error may
 * be one repository's own. Failures that no other try would better (an unknown name, a certificate) are told each time.
 */
export function noteOutcome(state: HostState, outcome: Exchange, moment: Moment): HostState {
  const origin = outcome.kind === 'failed' ? outcome.origin : outcome.answer.url.origin;
  if (origin !== moment.origin) return noteGood(state, moment);
  if (outcome.kind === 'failed') return outcome.transient ? noteSilence(state, outcome.error.message, moment) : state;
  const { status, headers } = outcome.answer;
  const askedMs = parseRetryAfter(headers['retry-after'], moment.nowMs);
  if (status === 429 || (status === 503 && askedMs !== undefined)) return noteThrottle(state, askedMs, moment);
  if (gatewayStatuses.includes(status)) return noteStranded(state, status, moment);
  return status >= 500 ? { ...state, failures: 0 } : noteGood(state, moment);
}

function noteStranded(state: HostState, status: number, moment: Moment): HostState {
  const { stranded } = state;
  if (stranded.length >= strandedToOpen) {
    const failures = Math.max(state.failures, failuresToOpen - 1);
    return noteSilence({ ...state, failures }, `it answers ${status}`, moment);
  }
  const next = stranded.includes(moment.task) ? stranded : [...stranded, moment.task];
  return { ...state, failures: 0, stranded: next };
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
function noteSilence(state: HostState, message: string, { nowMs, chance }: Moment): HostState {
  if (isOpen(state) && nowMs < state.pausedUntilMs) return state;
  const failures = state.failures + 1;
  // `Cannot <do>: <found>, <wanted> was wanted`
  const fault = message.replace(/^.*?": /, '').replace(/, [^,]* was wanted$/, '');
  if (failures < failuresToOpen) return { ...state, failures, fault };
  const openMs = Math.min(firstOpenMs * 2 ** Math.min(failures - failuresToOpen, 10), longestOpenMs);
  const pausedUntilMs = nowMs + openMs * (0.8 + 0.4 * chance);
  return { ...state, failures, fault, pausedUntilMs, pausedBy: 'silent' };
}

function noteGood(state: HostState, { maxInFlight }: Moment): HostState {
  const calm = state.calm + 1;
  const mayGrow = state.bearable < maxInFlight && calm >= calmForMore * state.bearable;
  return {
    ...state,
    failures: 0,
    stranded: [],
    throttles: 0,
    bearable: mayGrow ? state.bearable + 1 : state.bearable,
    calm: mayGrow ? 0 : calm,
  };
}

/** What a try has told of the host: that it asks for rest, or that it is down, also where it still is after one more try. */
export function findTrouble(before: HostState, after: HostState): 'throttled' | 'circuit-open' | undefined {
  if (after.throttles > before.throttles) return 'throttled';
  return after.failures > before.failures && isOpen(after) ? 'circuit-open' : undefined;
}

/** When the next request may go, at the earliest: after a pause, and in the next slot of the rate, if one is set. */
export function findStart(state: HostState, requestsPerSecond: number | undefined, nowMs: number): number {
  // So far ahead no pause ever was: the clock was set back, and nobody knows for how much longer.
  const pausedUntilMs = state.pausedUntilMs > nowMs + longestPauseMs ? nowMs : state.pausedUntilMs;
  const slotMs = requestsPerSecond === undefined ? 0 : Math.min(state.nextSlotMs, nowMs + 1000 / requestsPerSecond);
  return Math.max(nowMs, pausedUntilMs, slotMs);
}

/** The state once a request goes out: at a rate, after a quiet time a second's requests at once. */
export function takeSlot(state: HostState, requestsPerSecond: number | undefined, nowMs: number): HostState {
  if (requestsPerSecond === undefined) return state;
  const fromMs = Math.min(Math.max(state.nextSlotMs, nowMs - burstMs), nowMs);
  return { ...state, nextSlotMs: fromMs + 1000 / requestsPerSecond };
}

/** The state once another worker was asked to wait until then. */
export function notePause(state: HostState, untilMs: number): HostState {
  return untilMs <= state.pausedUntilMs ? state : { ...state, pausedUntilMs: untilMs, pausedBy: 'asked' };
}

/** Whether the circuit is open or half open: one try decides whether the others may follow. */
export function isOpen({ failures }: HostState): boolean {
  return failures >= failuresToOpen;
}
