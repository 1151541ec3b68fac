/** How long a forge wants to be left alone. */

/** Of a limit that names no time. Source: GitHub, "Rate limits for the REST API": wait for at least one minute. */
const unnamedWaitMs = 60_000;

/** What is looked at of an answer; header names in lower case. */
export interface LimitedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** What it says of itself. */
  readonly said: string;
}

/**
 * The wait in milliseconds from now that an answer asks for, at least 0; undefined for one that is not about a limit.
 * Source: GitHub's "Rate limits for the REST API" (403 or 429; Retry-After, else X-RateLimit-Reset once nothing remains,
 * else a minute); GitLab's "Rate limits" (429; Retry-After, RateLimit-Reset); RFC 9110, section 10.2.3.
 *
 * @example
 * findLimitWait({ status: 429, headers: { 'retry-after': '2' }, said: '' }, 0) // 2000
 */
export function findLimitWait({ status, headers, said }: LimitedAnswer, nowMs: number): number | undefined {
  const askedMs = parseRetryAfter(headers['retry-after'], nowMs);
  const isSpent = (headers['x-ratelimit-remaining'] ?? headers['ratelimit-remaining']) === '0';
  const isForbidden = status === 403 && (askedMs !== undefined || isSpent || /rate limit|abuse detection/i.test(said));
  if (status === 503) return askedMs;
  if (status !== 429 && !isForbidden) return undefined;
  const resetSeconds = Number(headers['x-ratelimit-reset'] ?? headers['ratelimit-reset']);
  const resetMs = isSpent && resetSeconds > 0 ? Math.max(0, resetSeconds * 1000 - nowMs) : undefined;
  return askedMs ?? resetMs ?? unnamedWaitMs;
}

function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const dateMs = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
