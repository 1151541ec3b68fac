/** Tries again what may succeed a moment later, as patiently as the registry asks. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { Exchange, HttpAnswer, HttpRequest } from './http.ts';
import type { Limits } from './limits.ts';

/** Sends a request until it has an answer that more tries would not better; failures are TallymanErrors. */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

interface RetryOptions {
  readonly exchange: (request: HttpRequest) => Promise<Exchange>;
  readonly limits: Limits;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Told before each wait. */
  readonly onRetry: (request: HttpRequest, about: { tries: number; waitMs: number }) => void;
}

/** Timeout, rate limit, server errors, and two that proxies use: client gone (499), origin timed out (522). */
const transientStatuses: readonly number[] = [408, 429, 499, 500, 502, 503, 504, 522];
/** GHCR names waits below a millisecond, which would only be refused again. */
export const minWaitMs = 1000;

/** A day: longer waits are read as that. */
const longestAskedMs = 24 * 3_600_000;

/** Whether the same request may be answered otherwise later. */
export function isTransientStatus(status: number): boolean {
  return transientStatuses.includes(status);
}

/** Wraps the single try. Another answer than a transient one, or the last answer, is returned whatever its status. */
export function createRetryingSend({ exchange, limits, now, random, sleep, onRetry }: RetryOptions): Send {
  return async (request) => {
    for (let tries = 1; ; tries += 1) {
      const outcome = await exchange(request);
      if (tries >= (request.maxTries ?? limits.maxTries) || !mayDiffer(outcome)) return settle(outcome);
      const askedMs =
        outcome.kind === 'answered' ? parseRetryAfter(outcome.answer.headers['retry-after'], now()) : undefined;
      const waitMs = Math.max(minWaitMs, askedMs ?? minWaitMs * 2 ** (tries - 1)) * (1 + random() / 2);
      if (askedMs !== undefined && askedMs > limits.maxWaitMs) throw refuseWait(request, askedMs, limits.maxWaitMs);
      onRetry(request, { tries, waitMs });
      await sleep(waitMs, request.signal);
      request.signal.throwIfAborted();
    }
  };
}

/** Whether another try may end otherwise. */
function mayDiffer(outcome: Exchange): boolean {
  return outcome.kind === 'failed' ? outcome.transient : isTransientStatus(outcome.answer.status);
}

function settle(outcome: Exchange): HttpAnswer {
  if (outcome.kind === 'failed') throw outcome.error;
  return outcome.answer;
}

/**
 * The wait in milliseconds from now, at least 0, at most a day; undefined where the header is missing or cannot be read.
 * Source: RFC 9110, section 10.2.3: seconds or a date; fractions of a second are read too.
 *
 * @example
 * parseRetryAfter('2', 0) // 2000
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, longestAskedMs);
  const dateMs = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : Math.min(Math.max(0, dateMs - nowMs), longestAskedMs);
}

function refuseWait({ task, url }: HttpRequest, askedMs: number, maxWaitMs: number): TallymanError {
  const found = `"${url.host}" asks to wait ${Math.ceil(askedMs / 1000)} s`;
  return new TallymanError(
    'RegistryUnavailable',
    `Cannot ${task}: ${found}, at most ${maxWaitMs / 1000} s were wanted`,
  );
}
