/** Sends no more to a host than it bears: so many at a time, so many a second, none while it asks for rest or is down. */
import { TallymanError } from '../error/tallyman-error.ts';
import { createGate } from './gate.ts';
import { failuresToOpen, freshState, type HostState, isOpen, noteOutcome } from './host-state.ts';
import type { Exchange, HttpRequest } from './http.ts';
import type { Limits } from './limits.ts';
import { isSpent, type PullBudget } from './pull-budget.ts';
import { quote } from './quote.ts';
import { raceWithSignal } from './race-with-signal.ts';
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
}

/** One origin. */
interface Origin {
  state: HostState;
  maxInFlight: number;
  /** The one try that decides whether an origin that was down is back. */
  probe: Promise<unknown> | undefined;
}

/** Token servers and mirrors count too; beyond it the oldest starts afresh. */
const maxOrigins = 2000;
/** Requests that may go out at once after a quiet time, as seconds of the rate. */
const burstMs = 1000;
const defaultMinPullsLeft = 10;

/** Wraps the single try. What may not be sent now fails with RegistryUnavailable, without a request. */
export function createPoliteExchange(options: PoliteOptions): SendOnce {
  const { exchange, limits, now, random, onBudget } = options;
  const origins = new Map<string, Origin>();
  const gate = createGate((key) => {
    const { state, maxInFlight } = originOf(key);
    return Math.min(state.bearable, maxInFlight);
  });

  function originOf(key: string): Origin {
    const known = origins.get(key);
    if (known !== undefined) return known;
    const origin: Origin = { state: freshState, maxInFlight: limits.maxInFlight, probe: undefined };
    rememberRecent(origins, [key, origin], maxOrigins);
    return origin;
  }

  async function tryOnce(request: HttpRequest, origin: Origin): Promise<Exchange> {
    try {
      const outcome = await exchange(request);
      note(request, origin, outcome);
      return outcome;
    } catch (error) {
      // A caller whose patience is over aborts: the origin was silent for as long as that.
      if (error instanceof TallymanError) note(request, origin, { kind: 'failed', error, transient: true });
      throw error;
    }
  }

  function note(request: HttpRequest, origin: Origin, outcome: Exchange): void {
    const { maxInFlight, state } = origin;
    origin.state = noteOutcome(state, outcome, { nowMs: now(), chance: random(), maxInFlight });
    const { pulls } = origin.state;
    if (pulls !== undefined && pulls !== state.pulls) onBudget(request.host.name, pulls);
  }

  async function takeTurn(request: HttpRequest, origin: Origin): Promise<Exchange> {
    while (origin.probe !== undefined) await raceWithSignal(origin.probe, request.signal);
    const error = findRefusal(request, origin.state, { limits, nowMs: now() });
    if (error !== undefined) return { kind: 'failed', error, transient: false };
    const probing = isOpen(origin.state);
    const turn = waitTurn(request, origin, options).then(() => tryOnce(request, origin));
    if (!probing) return turn;
    const settled = turn.catch(() => {}).finally(() => (origin.probe = undefined));
    origin.probe = settled;
    return turn;
  }

  return (request) => {
    const key = request.url.origin;
    const origin = originOf(key);
    if (key === request.host.origin) origin.maxInFlight = request.host.settings.maxInFlight ?? limits.maxInFlight;
    return gate.run(key, request.signal, () => takeTurn(request, origin));
  };
}

/** Waits for the end of a short pause and for the next slot of the rate, if one is set. */
async function waitTurn(request: HttpRequest, origin: Origin, { now, random, sleep }: PoliteOptions): Promise<void> {
  const { requestsPerSecond } = request.host.settings;
  const nowMs = now();
  let startMs = Math.max(nowMs, origin.state.pausedUntilMs);
  // After a pause not all at the same moment.
  if (startMs > nowMs) startMs += 250 * random();
  if (requestsPerSecond !== undefined && request.url.origin === request.host.origin) {
    startMs = Math.max(startMs, origin.state.nextSlotMs);
    const slotMs = Math.max(startMs - burstMs, origin.state.nextSlotMs) + 1000 / requestsPerSecond;
    origin.state = { ...origin.state, nextSlotMs: slotMs };
  }
  if (startMs > nowMs) await sleep(startMs - nowMs, request.signal);
  request.signal.throwIfAborted();
}

/** Why the request is not even sent; undefined where it may go, perhaps after a short wait. */
function findRefusal(
  request: HttpRequest,
  state: HostState,
  { limits, nowMs }: { limits: Limits; nowMs: number },
): TallymanError | undefined {
  const host = quote(request.url.host, 80);
  const refuse = (found: string, remedy?: string): TallymanError =>
    new TallymanError('RegistryUnavailable', `Cannot ${request.task}: ${found}`, { remedy });
  const waitMs = state.pausedUntilMs - nowMs;
  if (waitMs > limits.maxWaitMs) {
    const seconds = Math.ceil(waitMs / 1000);
    return state.pausedBy === 'asked'
      ? refuse(`"${host}" asks to wait ${seconds} s more, at most ${limits.maxWaitMs / 1000} s were wanted`)
      : refuse(`"${host}" did not answer ${failuresToOpen} times in a row, it is asked again in ${seconds} s`);
  }
  const minPullsLeft = request.host.settings.minPullsLeft ?? defaultMinPullsLeft;
  if (request.isPull === true && isSpent(state.pulls, minPullsLeft, nowMs)) {
    const { left, limit } = state.pulls;
    const found = `"${host}" says that ${left} of ${limit ?? 'its'} pulls are left, more than ${minPullsLeft} were wanted`;
    return refuse(
      found,
      `Give credentials for "${request.host.name}", wait, or lower minPullsLeft of the host under \`registries\`.`,
    );
  }
  return undefined;
}
