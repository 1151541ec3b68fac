/** Gets pull tokens from a token server, and keeps them until shortly before they end. */

import { untilAborted } from '../signal/until-aborted.ts';
import { fetchTokenAnswer, type TokenRequest, type TokenServerOptions } from './ask-token-server.ts';
import { parseJsonObject } from './json.ts';
import { rememberRecent } from './remember-recent.ts';

export interface TokenSource {
  /**
   * A token held under one of the keys, the first before the others, that is not the `rejected` one; fetched for the first
   * key, and held under all, where there is none or it is about to end. Callers that ask for the same first key at the
   * same time share one request. `isNew` tells that it was fetched for this call. Throws RegistryDenied,
   * RegistryUnavailable, RegistryInvalid.
   */
  obtain(
    keys: readonly [string, ...string[]],
    request: TokenRequest,
    options: { rejected: string | undefined; signal: AbortSignal },
  ): Promise<{ readonly text: string; readonly isNew: boolean }>;
}

/** A token with the moment from which it is no longer used, in milliseconds since 1970. */
export interface Token {
  readonly text: string;
  readonly endsAtMs: number;
}

interface TokenOptions extends TokenServerOptions {
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
}

/** Distribution token specification, "Token Response Fields": no `expires_in` means 60 s; shorter lives are raised to that. */
const minLifeSeconds = 60;
const maxLifeSeconds = 24 * 3600;
/** Renewed that much early, so that it does not end on its way. */
const earlyMs = 5000;
/** Tokens of repositories that no policy names any more are dropped, oldest first. */
const maxTokens = 10_000;

export function createTokenSource(options: TokenOptions): TokenSource {
  const tokens = new Map<string, Token>();
  const flights = new Map<string, Promise<Token>>();

  function startFlight(keys: readonly [string, ...string[]], request: TokenRequest): Promise<Token> {
    const flight = fetchTokenAnswer(request, options, (body) => parseToken(body, options.now())).finally(() =>
      flights.delete(keys[0]),
    );
    flights.set(keys[0], flight);
    // Each caller sees the failure; without callers (all aborted) it is nobody's.
    flight.then(
      (token) => {
        for (const key of keys) rememberRecent(tokens, [key, token], maxTokens);
      },
      () => {},
    );
    return flight;
  }

  return {
    obtain: async (keys, request, { rejected, signal }) => {
      signal.throwIfAborted();
      const held = keys
        .map((key) => tokens.get(key))
        .find((token) => token !== undefined && token.text !== rejected && token.endsAtMs > options.now());
      if (held !== undefined) return { text: held.text, isNew: false };
      const { text } = await untilAborted(flights.get(keys[0]) ?? startFlight(keys, request), signal);
      return { text, isNew: true };
    },
  };
}

/**
 * The token of a token server's answer; undefined where there is none that an HTTP header can carry. A missing, future
 * or long past `issued_at` counts as now (GitLab and Quay send none, and clocks differ).
 */
export function parseToken(body: Buffer, nowMs: number): Token | undefined {
  const { token, access_token: accessToken, expires_in: expiresIn, issued_at: issuedAt } = parseJsonObject(body) ?? {};
  const text = [token, accessToken].find((value) => typeof value === 'string' && value !== '');
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) return undefined;
  const seconds = typeof expiresIn === 'number' && Number.isFinite(expiresIn) ? expiresIn : minLifeSeconds;
  const lifeMs = Math.min(Math.max(seconds, minLifeSeconds), maxLifeSeconds) * 1000;
  const issuedMs = typeof issuedAt === 'string' ? Date.parse(issuedAt) : Number.NaN;
  const isUsable = issuedMs <= nowMs && issuedMs + lifeMs > nowMs;
  return { text, endsAtMs: (isUsable ? issuedMs : nowMs) + lifeMs - earlyMs };
}
