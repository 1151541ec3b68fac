/** Which of several processes works: the one that holds a Lease, as long as it renews it. */
import { type Problem, toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Leader, Leadership } from '../pipeline/cluster-ports.ts';
import type { Clock, Log } from '../pipeline/ports.ts';
import { findAddress, findOtherHolder, holdLease, observeLease, releaseLease, type SeenLease } from './lease.ts';
import type { LeaseStore } from './lease-store.ts';

/** In milliseconds, each longer than the next. */
export interface LeaseTiming {
  /** So long the others leave the holder alone after they saw it renew. */
  readonly durationMs: number;
  /** So long after it sent its last renewal the holder writes. What is left until `durationMs` is for what is under way. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

export interface LeadershipOptions {
  readonly store: LeaseStore;
  readonly place: { readonly namespace: string; readonly name: string };
  /** Of this process alone. `tallyman-0_5f2c91d3` */
  readonly identity: string;
  readonly timing: LeaseTiming;
  readonly clock: Pick<Clock, 'wallMs' | 'random' | 'sleep'>;
  /** Goes on while the process is stopped or the machine sleeps: timers are late then, and this tells by how much. */
  readonly elapsedMs: () => number;
  /** Tells what keeps this process from knowing who leads, or from leading; undefined once nothing does. */
  readonly tell: (problem: Problem | undefined) => void;
  readonly log: Pick<Log, 'info'>;
}

/** From the Lease taken to the Lease lost. */
interface Term {
  /** When the last renewal that was granted was sent. */
  renewedMs: number;
  readonly ended: AbortController;
}

/** When the granted write was sent; `other` holds it; `again`: nobody knows yet. */
type Attempt = number | 'other' | 'again';

/** A busy machine at its end is not kept from it for longer. */
const releaseMs = 1000;

/** Nothing is contacted before `run`. */
export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, place, identity, timing, clock, elapsedMs, log } = options;
  const teller = createFirstTeller(options.tell);
  let [seen, term, address]: [SeenLease | undefined, Term | undefined, string | undefined] = [
    undefined,
    undefined,
    undefined,
  ];
  let [isRunning, mayHold] = [false, false];
  let toldHolder: string | undefined;
  let failure: Problem | undefined;

  const vary = (ms: number) => ms * (1 + 0.2 * clock.random());
  const leftOf = ({ renewedMs }: Term) => renewedMs + timing.renewDeadlineMs - elapsedMs();
  const writing = () => ({ ...place, address, wallMs: clock.wallMs() });
  const canWrite = () => term !== undefined && !term.ended.signal.aborted && leftOf(term) > 0;
  const call = (signal: AbortSignal) => {
    const leftMs = term === undefined ? Number.POSITIVE_INFINITY : leftOf(term);
    // Several fit in, so that one lost answer is not the end.
    return { signal, timeoutMs: Math.max(1, Math.floor(Math.min(timing.renewDeadlineMs / 3, leftMs))) };
  };
  const observe = (lease: SeenLease['lease']): SeenLease => {
    seen = observeLease(seen, lease, { nowMs: elapsedMs(), usualMs: timing.durationMs });
    return seen;
  };

  async function takeOrRenew(signal: AbortSignal): Promise<Attempt> {
    // What was written last is most likely what is there: one request instead of two.
    for (let isFresh = false; ; isFresh = true) {
      const known =
        isFresh || term === undefined || seen === undefined ? observe(await store.read(call(signal))) : seen;
      if (findOtherHolder(known, identity, elapsedMs()) !== undefined) {
        mayHold = false;
        return 'other';
      }
      mayHold = true;
      const sentMs = elapsedMs();
      const terms = { identity, durationMs: timing.durationMs };
      const written = await store.write(holdLease(known, terms, writing()), call(signal));
      if (written !== undefined) {
        observe(written);
        return sentMs;
      }
      if (isFresh || term === undefined) return 'again';
    }
  }

  /** What fails is told: at once by who waits, by who leads once it leads no more. */
  async function attempt(signal: AbortSignal): Promise<Attempt> {
    try {
      const result = await takeOrRenew(signal);
      failure = undefined;
      teller.tell(undefined);
      return result;
    } catch (error) {
      if (signal.aborted) return 'again';
      failure = toProblem(error);
      if (term === undefined || failure.code === 'ClusterDenied') teller.tell(failure);
      return 'again';
    }
  }

  /** When the Lease was asked for that this process has now; undefined where it is to stop. */
  async function acquire(signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      const held = await attempt(signal);
      if (typeof held === 'number') return held;
      const holder = seen && findOtherHolder(seen, identity, elapsedMs());
      if (holder !== undefined && holder !== toldHolder) log.info({ lease: place.name, holder }, 'standby');
      toldHolder = holder ?? toldHolder;
      await clock.sleep(vary(timing.retryMs), { signal });
    }
    return undefined;
  }

  async function keep(held: Term, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      await clock.sleep(Math.max(0, Math.min(vary(timing.retryMs), leftOf(held))), { signal: done });
      if (done.aborted) return;
      if (leftOf(held) <= 0) return endTerm(held, 'it could not be renewed in time');
      const result = await attempt(done);
      if (typeof result === 'number') held.renewedMs = result;
      if (result === 'other') return endTerm(held, 'another holds it');
    }
  }

  function endTerm({ ended }: Term, found: string): void {
    ended.abort(leadershipLost(place.name, found));
    if (failure !== undefined) teller.tell(failure);
    toldHolder = seen && findOtherHolder(seen, identity, elapsedMs());
    log.info({ lease: place.name, holder: toldHolder, reason: found }, 'standby');
  }

  async function serveTerm(renewedMs: number, lead: Parameters<Leadership['run']>[0], signal: AbortSignal) {
    const done = new AbortController();
    const held: Term = { renewedMs, ended: new AbortController() };
    term = held;
    toldHolder = undefined;
    log.info({ lease: place.name, identity, address }, 'leading');
    const keeping = keep(held, done.signal);
    try {
      await lead({ signal: AbortSignal.any([signal, held.ended.signal]) });
    } finally {
      done.abort(new Error('nothing is under way any more'));
      await keeping;
      term = undefined;
    }
  }

  /** A Lease that is not released is free after its time: no failure of this is worth a word. */
  async function release(): Promise<void> {
    const given = { signal: AbortSignal.timeout(2 * releaseMs), timeoutMs: releaseMs };
    try {
      // Twice: a renewal that was cut off on the way may still have arrived.
      for (let tries = 0; tries < 2; tries += 1) {
        const lease = await store.read(given);
        if (lease?.spec?.holderIdentity !== identity) return;
        if ((await store.write(releaseLease(lease, writing()), given)) !== undefined) return;
      }
    } catch {
      // It may not even be held.
    }
  }

  return {
    async run(lead, { signal, address: own }) {
      [isRunning, address] = [true, own];
      try {
        while (!signal.aborted) {
          const heldMs = await acquire(signal);
          if (heldMs !== undefined) await serveTerm(heldMs, lead, signal);
        }
      } finally {
        if (mayHold) await release();
      }
    },
    check() {
      if (isRunning && !canWrite()) throw leadershipLost(place.name, 'it is not held, or not for long enough');
    },
    signal: () => term?.ended.signal,
    findLeader(): Leader | undefined {
      if (canWrite()) return { kind: 'self' };
      const name = seen && findOtherHolder(seen, identity, elapsedMs());
      if (name !== undefined) return { kind: 'other', name, address: findAddress(seen?.lease) };
      return seen && { kind: 'nobody' };
    },
  };
}

function leadershipLost(lease: string, found: string): TallymanError {
  return new TallymanError('LeadershipLost', `Cannot write by Lease "${lease}": ${found}, a Lease in time was wanted`);
}

/** One failure after the other of the same kind is the same trouble, whatever its words. */
function createFirstTeller(tell: LeadershipOptions['tell']): { tell: LeadershipOptions['tell'] } {
  let told: Problem | undefined;
  return {
    tell(problem) {
      if (told === undefined && problem === undefined) return;
      told = told !== undefined && told.code === problem?.code ? told : problem;
      tell(told);
    },
  };
}
