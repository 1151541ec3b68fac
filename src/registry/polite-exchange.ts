/** Sends no more to a host than it bears: so many at a time, so many a second, none while it asks for rest or is down. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { HostPace } from '../pipeline/job-ports.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import { createGate } from './gate.ts';
import {
  findStart,
  findTrouble,
  freshState,
  type HostState,
  isOpen,
  noteOutcome,
  notePause,
  takeSlot,
} from './host-state.ts';
import type { Exchange, HttpRequest } from './http.ts';
import type { Limits } from './limits.ts';
import { isSpent, type PullBudget, parsePullBudget } from './pull-budget.ts';
import { quote } from './quote.ts';
import { rememberRecent } from './remember-recent.ts';

type SendOnce = (request: HttpRequest) => Promise<Exchange>;

interface PoliteOptions {
  readonly exchange: SendOnce;
  readonly limits: Limits;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  /** From 0 to less than 1. */
  readonly random: () => number;
  readonly sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Told whenever a host says how many pulls are left. */
  readonly onBudget: (host: string, budget: PullBudget) => void;
  /** What other workers know of the host; default nothing. */
  readonly pace?: HostPace | undefined;
  /** Told where the host asks for rest, or is found to be down: nothing is sent for so long. */
  readonly onTrouble: (host: string, trouble: 'throttled' | 'circuit-open', waitMs: number) => void;
}

/** One origin. */
interface Origin {
  state: HostState;
  maxInFlight: number;
  /** What is left of each account's pulls. */
  readonly pulls: Map<string, PullBudget>;
  /** The one try that decides whether an origin that was down is back. */
  probe: Promise<unknown> | undefined;
}

/** Token servers and mirrors count too; beyond it the one longest unused starts afresh. */
const maxOrigins = 2000;
const defaultMinPullsLeft = 10;

/** Wraps the single try. What may not be sent now fails with RegistryUnavailable, without a request. */
export function createPoliteExchange(options: PoliteOptions): SendOnce {
  const { limits } = options;
  const origins = new Map<string, Origin>();
  const gate = createGate((key) => {
    const { state, maxInFlight } = originOf(key);
    return Math.min(state.bearable, maxInFlight);
  });

  function originOf(key: string): Origin {
    const fresh = { state: freshState, maxInFlight: limits.maxInFlight, pulls: new Map(), probe: undefined };
    const origin = origins.get(key) ?? fresh;
    rememberRecent(origins, [key, origin], maxOrigins);
    return origin;
  }

  return (request) => {
    const key = request.url.origin;
    const origin = originOf(key);
    if (key === request.host.origin) origin.maxInFlight = request.host.settings.maxInFlight ?? limits.maxInFlight;
    return gate.run(key, request.signal, () => takeTurn({ ...options, request, origin }));
  };
}

interface Turn extends PoliteOptions {
  readonly request: HttpRequest;
  readonly origin: Origin;
}

async function takeTurn(turn: Turn): Promise<Exchange> {
  const { request, origin } = turn;
  while (origin.probe !== undefined) await untilAborted(origin.probe, request.signal);
  const error = findPauseFault(turn);
  if (error !== undefined) return toRefusal(turn, error);
  const isProbe = isOpen(origin.state);
  const outcome = waitForSlot(turn)
    .then(() => joinPace(turn))
    .then((fault) => (fault === undefined ? tryIfPullsAreLeft(turn) : toRefusal(turn, fault)));
  if (isProbe) {
    origin.probe = outcome
      .catch(() => {})
      .finally(() => {
        origin.probe = undefined;
      });
  }
  return outcome;
}

/** Waits for the end of a short pause and for a slot of the rate; a slot is taken only by a request that goes out. */
async function waitForSlot({ request, origin, now, random, sleep }: Turn): Promise<void> {
  const rate = rateOf(request);
  for (;;) {
    const nowMs = now();
    const waitMs = findStart(origin.state, rate, nowMs) - nowMs;
    if (waitMs <= 0) break;
    // Not all at the same moment.
    await sleep(waitMs + (rate === undefined ? 250 * random() : 0), request.signal);
    request.signal.throwIfAborted();
  }
  origin.state = takeSlot(origin.state, rate, now());
}

function rateOf({ url, host }: HttpRequest): number | undefined {
  return url.origin === host.origin ? host.settings.requestsPerSecond : undefined;
}

/** Waits until the host bears the request beside those of the other workers; why it may not go out, where a pause is too long. */
async function joinPace(turn: Turn): Promise<TallymanError | undefined> {
  const { request, origin, now, sleep, pace } = turn;
  const question = { origin: request.url.origin, requestsPerSecond: rateOf(request), account: accountOf(request) };
  for (;;) {
    const answer = await pace?.enter(question, { signal: request.signal });
    if (answer === undefined) return undefined;
    const { pausedMs, waitMs, pulls } = answer;
    const seenMs = now() - (pulls?.ageMs ?? 0);
    if (pulls !== undefined && seenMs > (origin.pulls.get(question.account)?.seenMs ?? 0))
      rememberRecent(origin.pulls, [question.account, { ...pulls, seenMs }], maxOrigins);
    if (pausedMs > 0) origin.state = notePause(origin.state, now() + pausedMs);
    const fault = findPauseFault(turn);
    if (fault !== undefined) return fault;
    if (pausedMs + waitMs > 0) await sleep(pausedMs + waitMs, request.signal);
    request.signal.throwIfAborted();
    if (pausedMs === 0) return undefined;
  }
}

/** Where few pulls are left, HEAD, which is not counted, tells whether that is still so and holds for this image. */
async function tryIfPullsAreLeft(turn: Turn): Promise<Exchange> {
  const { request } = turn;
  if (request.isPull !== true || findSpent(turn) === undefined) return tryOnce(turn);
  const look = await tryOnce({ ...turn, request: { ...request, method: 'HEAD', isPull: false } });
  if (look.kind === 'failed') return look;
  const isLimited = parsePullBudget(look.answer.headers, turn.now()) !== undefined;
  const spent = isLimited ? findSpent(turn) : undefined;
  return spent === undefined ? tryOnce(turn) : toRefusal(turn, describeSpent(turn, spent));
}

async function tryOnce(turn: Turn): Promise<Exchange> {
  const { request, exchange, limits, now } = turn;
  const startMs = now();
  try {
    const outcome = await exchange(request);
    note(turn, outcome);
    return outcome;
  } catch (error) {
    // A caller whose patience is over aborts. Only if this very request had waited long, the origin was silent.
    if (error instanceof TallymanError && now() - startMs >= limits.connectMs)
      note(turn, { kind: 'failed', error, transient: true, origin: request.url.origin });
    throw error;
  }
}

function note({ request, origin, now, random, onBudget, onTrouble, pace }: Turn, outcome: Exchange): void {
  const { maxInFlight, state: before } = origin;
  const { task, url } = request;
  const moment = { origin: url.origin, task, nowMs: now(), chance: random(), maxInFlight };
  origin.state = noteOutcome(before, outcome, moment);
  const { pausedUntilMs, pausedBy } = origin.state;
  // That it is silent each worker finds by itself: it may be the worker's own network.
  if (pausedBy === 'asked' && pausedUntilMs > before.pausedUntilMs)
    void pace?.pause(url.origin, pausedUntilMs - moment.nowMs);
  const trouble = findTrouble(before, origin.state);
  if (trouble !== undefined) onTrouble(request.host.name, trouble, pausedUntilMs - moment.nowMs);
  if (outcome.kind === 'failed' || outcome.answer.url.origin !== moment.origin) return;
  const pulls = parsePullBudget(outcome.answer.headers, moment.nowMs);
  if (pulls === undefined) return;
  rememberRecent(origin.pulls, [accountOf(request), pulls], maxOrigins);
  onBudget(request.host.name, pulls);
  const { left, limit, windowMs } = pulls;
  void pace?.notePulls({ origin: url.origin, account: accountOf(request) }, { left, limit, windowMs });
}

/** Whose pulls are counted; empty for everybody who does not sign in. */
function accountOf({ host: { credential } }: HttpRequest): string {
  if (credential === undefined) return '';
  return 'username' in credential ? (credential.username ?? '(token)') : '(token)';
}

function findSpent({ request, origin, now }: Turn): PullBudget | undefined {
  const budget = origin.pulls.get(accountOf(request));
  return isSpent(budget, minPullsLeft(request), now()) ? budget : undefined;
}

function minPullsLeft({ host }: HttpRequest): number {
  return host.settings.minPullsLeft ?? defaultMinPullsLeft;
}

function describeSpent({ request }: Turn, { left, limit }: PullBudget): TallymanError {
  const found = `"${quote(request.url.host, 80)}" says that ${left} of ${limit ?? 'its'} pulls are left`;
  return new TallymanError(
    'RegistryUnavailable',
    `Cannot ${request.task}: ${found}, more than ${minPullsLeft(request)} were wanted`,
    { remedy: `Give credentials for "${request.host.name}", wait, or lower its minPullsLeft under \`registries\`.` },
  );
}

/** Why the request is not even sent; undefined where it may go, perhaps after a short wait. */
function findPauseFault({ request, origin: { state }, limits, now }: Turn): TallymanError | undefined {
  const nowMs = now();
  const waitMs = findStart(state, undefined, nowMs) - nowMs;
  if (waitMs <= limits.maxWaitMs) return undefined;
  const host = quote(request.url.host, 80);
  const seconds = Math.ceil(waitMs / 1000);
  const found =
    state.pausedBy === 'asked'
      ? `"${host}" asks to wait ${seconds} s more, at most ${limits.maxWaitMs / 1000} s were wanted`
      : `"${host}" failed again and again (${state.fault}), it is asked again in ${seconds} s`;
  return new TallymanError('RegistryUnavailable', `Cannot ${request.task}: ${found}`);
}

function toRefusal({ request }: Turn, error: TallymanError): Exchange {
  return { kind: 'failed', error, transient: false, origin: request.url.origin };
}
