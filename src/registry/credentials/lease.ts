/** Keeps what clouds lend until shortly before it ends, and borrows once for all who ask at the same time. */
import { TallymanError } from '../../error/tallyman-error.ts';
import { untilAborted } from '../../signal/until-aborted.ts';
import { startDeadline } from '../deadline.ts';
import type { Limits } from '../limits.ts';
import { rememberRecent } from '../remember-recent.ts';
import type { Credential } from './credential.ts';

/** A credential with the moment from which it is no longer used, in milliseconds since 1970. */
export interface Lease {
  readonly credential: Credential;
  readonly endsAtMs: number;
}

export interface Leases {
  /** The credential under `key`, borrowed where there is none; undefined where there is none to be had. */
  obtain(
    key: string,
    about: { task: string; signal: AbortSignal },
    borrow: (signal: AbortSignal) => Promise<Lease | undefined>,
  ): Promise<Credential | undefined>;
  drop(key: string): void;
}

/** Registries that no policy names any more are dropped, oldest first. */
const maxLeases = 500;

export function createLeases({ now, limits }: { now: () => number; limits: Limits }): Leases {
  const leases = new Map<string, Lease>();
  const flights = new Map<string, Promise<Lease | undefined>>();

  /** Its own clock and no caller's signal: the one who gives up must not take the credential from the others. */
  async function fly(
    key: string,
    task: string,
    borrow: (signal: AbortSignal) => Promise<Lease | undefined>,
  ): Promise<Lease | undefined> {
    const deadline = startDeadline(new AbortController().signal, limits.attemptMs, () => {
      const found = `the cloud gave no token within ${limits.attemptMs / 1000} s`;
      return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, one was wanted`);
    });
    try {
      const lease = await borrow(deadline.signal);
      if (lease === undefined) leases.delete(key);
      else rememberRecent(leases, [key, lease], maxLeases);
      return lease;
    } finally {
      deadline.stop();
      flights.delete(key);
    }
  }

  return {
    obtain: async (key, { task, signal }, borrow) => {
      signal.throwIfAborted();
      const known = leases.get(key);
      if (known !== undefined && now() < known.endsAtMs) return known.credential;
      const flight = flights.get(key) ?? fly(key, task, borrow);
      flights.set(key, flight);
      return (await untilAborted(flight, signal))?.credential;
    },
    drop: (key) => {
      leases.delete(key);
    },
  };
}

/** Shorter lives are raised to that, so that a wrong clock does not turn every call into an exchange. */
const minLifeMs = 60_000;
const maxLifeMs = 24 * 3600 * 1000;

/**
 * The moment from which a token is no longer used: `earlyMs` before its end, and a minute to a day from now.
 * `endMs` that is no number counts as `usualLifeMs` from now.
 *
 * @example
 * planRenewal({ nowMs: 0, endMs: 3_600_000, earlyMs: 300_000, usualLifeMs: 600_000 }) // 3_300_000
 */
export function planRenewal(about: { nowMs: number; endMs: number; earlyMs: number; usualLifeMs: number }): number {
  const { nowMs, endMs, earlyMs, usualLifeMs } = about;
  const lifeMs = (Number.isFinite(endMs) ? endMs - nowMs : usualLifeMs) - earlyMs;
  return nowMs + Math.min(Math.max(lifeMs, minLifeMs), maxLifeMs);
}
