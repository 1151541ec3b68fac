/** Gets pull tokens from a token server, and keeps them until shortly before they end. */
import { TallymanError } from '../error/tallyman-error.ts';
import { formatStatus } from './answer-error.ts';
import type { Credential } from './credentials/credential.ts';
import { startDeadline } from './deadline.ts';
import { findHopFault } from './hop.ts';
import type { RegistryHost } from './host.ts';
import type { HttpAnswer } from './http.ts';
import { parseJsonObject } from './json.ts';
import type { Limits } from './limits.ts';
import { findNextUrl } from './next-url.ts';
import { quote } from './quote.ts';
import { isTransientStatus, type Send } from './retry.ts';

/** What a token is for, and who gives it. */
export interface TokenRequest {
  readonly host: RegistryHost;
  /** Path of the repository: `acme/web` */
  readonly path: string;
  /** The realm as the challenge has it; may be relative to `askedUrl`. */
  readonly realm: string;
  readonly service: string | undefined;
  /** The URL that was answered with the challenge. */
  readonly askedUrl: URL;
}

export interface TokenSource {
  /**
   * The token under `key`, fetched where there is none, it is about to end, or it is the `rejected` one. Callers that
   * ask at the same time share one request. Throws RegistryDenied, RegistryUnavailable, RegistryInvalid.
   */
  obtain(
    key: string,
    request: TokenRequest,
    options: { rejected: string | undefined; signal: AbortSignal },
  ): Promise<string>;
}

/** A token with the moment from which it is no longer used, in milliseconds since 1970. */
export interface Token {
  readonly text: string;
  readonly endsAtMs: number;
}

interface TokenOptions {
  readonly send: Send;
  readonly now: () => number;
  readonly limits: Limits;
}

/** Distribution token specification, "Token Response Fields": no `expires_in` means 60 s; shorter lives are raised to that. */
const minLifeSeconds = 60;
const maxLifeSeconds = 24 * 3600;
/** Renewed that much early, so that it does not end on its way. */
const earlyMs = 5000;
/** Tokens of repositories that no policy names any more are dropped, oldest first. */
const maxTokens = 2000;

export function createTokenSource(options: TokenOptions): TokenSource {
  const tokens = new Map<string, Token>();
  const flights = new Map<string, Promise<Token>>();

  function startFlight(key: string, request: TokenRequest): Promise<Token> {
    const flight = fetchToken(request, options).finally(() => flights.delete(key));
    flights.set(key, flight);
    // Each caller sees the failure; without callers (all aborted) it is nobody's.
    flight.then(
      (token) => {
        tokens.delete(key);
        tokens.set(key, token);
        const oldest = tokens.keys().next();
        if (tokens.size > maxTokens && oldest.done === false) tokens.delete(oldest.value);
      },
      () => {},
    );
    return flight;
  }

  return {
    obtain: async (key, request, { rejected, signal }) => {
      signal.throwIfAborted();
      const held = tokens.get(key);
      if (held !== undefined && held.text !== rejected && held.endsAtMs > options.now()) return held.text;
      const token = await raceWithSignal(flights.get(key) ?? startFlight(key, request), signal);
      return token.text;
    },
  };
}

async function fetchToken(request: TokenRequest, { send, now, limits }: TokenOptions): Promise<Token> {
  const { host, path } = request;
  const task = `get a pull token for "${host.name}/${path}"`;
  const url = planTokenUrl(request, task);
  // Its own clock and no caller's signal: the one who gives up must not take the token from the others.
  const deadline = startDeadline(new AbortController().signal, limits.attemptMs, () => {
    const found = `"${quote(url.host, 80)}" gave none within ${limits.attemptMs / 1000} s`;
    return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, a token was wanted`);
  });
  try {
    const { credential } = host;
    const answer = await send({
      host,
      url,
      accept: 'application/json',
      authorization: formatBasic(credential),
      maxBodyBytes: limits.maxTokenBytes,
      task,
      signal: deadline.signal,
    });
    if (answer.status !== 200) throw toTokenError(answer, task);
    const token = parseToken(answer.body, now());
    if (token !== undefined) return token;
    const found = `the answer of the token server "${quote(url.host, 80)}" holds no token`;
    throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, a JSON object with one was wanted`);
  } finally {
    deadline.stop();
  }
}

/** Distribution token specification, "Requesting a Token": GET with service and scope. */
function planTokenUrl({ realm, service, askedUrl, path }: TokenRequest, task: string): URL {
  const url = findNextUrl(realm, askedUrl);
  const fault = url === undefined ? 'it is no URL' : findHopFault(askedUrl, url);
  if (url === undefined || fault !== undefined) {
    const found = `the realm of the challenge is not followed: ${fault}`;
    throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, the address of a token server was wanted`);
  }
  if (service !== undefined && service !== '') url.searchParams.set('service', service);
  url.searchParams.append('scope', `repository:${path}:pull`);
  url.searchParams.set('client_id', 'tallyman');
  return url;
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

/** The Authorization header of RFC 7617, in UTF-8; undefined for a credential without a password. */
export function formatBasic(credential: Credential | undefined): string | undefined {
  if (credential === undefined || !('password' in credential)) return undefined;
  const { username, password } = credential;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function toTokenError(answer: HttpAnswer, task: string): TallymanError {
  const { status, url } = answer;
  const found = `the token server "${quote(url.host, 80)}" answered ${formatStatus(answer)}`;
  const denied = status === 401 || status === 403;
  const unavailable = isTransientStatus(status) || status >= 500;
  const code = denied ? 'RegistryDenied' : unavailable ? 'RegistryUnavailable' : 'RegistryInvalid';
  return new TallymanError(code, `Cannot ${task}: ${found}, a token was wanted`);
}

function raceWithSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
