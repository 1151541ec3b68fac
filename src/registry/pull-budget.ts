/** How many pulls a registry says are left. */

/** `{ left: 12, limit: 100, windowMs: 21600000, seenMs: … }`; times in milliseconds. */
export interface PullBudget {
  readonly left: number;
  readonly limit: number | undefined;
  readonly windowMs: number;
  readonly seenMs: number;
}

/**
 * The budget in an answer's headers; undefined where it says none, which means no limit for that image.
 * Source: Docker Hub, "Pull rate limit": `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 99;w=21600`, on GET and HEAD
 * of manifests. A pull is a GET of a manifest; HEAD and everything else is not counted.
 *
 * @example
 * parsePullBudget({ 'ratelimit-remaining': '99;w=21600' }, 0)?.left // 99
 */
export function parsePullBudget(
  headers: Readonly<Record<string, string | undefined>>,
  nowMs: number,
): PullBudget | undefined {
  const remaining = parseQuota(headers['ratelimit-remaining']);
  if (remaining === undefined) return undefined;
  const limit = parseQuota(headers['ratelimit-limit'])?.count;
  return { left: remaining.count, limit, windowMs: remaining.windowMs, seenMs: nowMs };
}

/** Only the form with a window: other registries use the header's name for something else. */
function parseQuota(header: string | undefined): { count: number; windowMs: number } | undefined {
  const [, count, seconds] = /^\s*(\d{1,9})\s*;\s*w=(\d{1,7})\b/.exec(header ?? '') ?? [];
  return count === undefined || seconds === undefined
    ? undefined
    : { count: Number(count), windowMs: Number(seconds) * 1000 };
}

/** Whether the next pull would go below what is to be left; what was seen a whole window ago says nothing any more. */
export function isSpent(budget: PullBudget | undefined, minPullsLeft: number, nowMs: number): budget is PullBudget {
  return budget !== undefined && budget.left <= minPullsLeft && nowMs < budget.seenMs + budget.windowMs;
}
