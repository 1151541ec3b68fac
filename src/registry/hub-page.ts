/** One page of what Docker Hub's web API says of a repository's tags. */
import { isObject, parseJsonObject } from './json.ts';

export interface HubTag {
  readonly tag: string;
  /** Milliseconds since 1970, by Docker Hub's clock. */
  readonly pushedMs: number;
}

export interface HubPage {
  /** Newest first. */
  readonly entries: readonly HubTag[];
  readonly isLast: boolean;
}

/**
 * The page; undefined where the answer is none. What is no tag with a time is left out.
 * Source: Docker Hub API, "List repository tags": `{ next, results: [{ name, tag_last_pushed }] }`.
 */
export function parseHubPage(body: Buffer): HubPage | undefined {
  const { results, next } = parseJsonObject(body) ?? {};
  if (!Array.isArray(results)) return undefined;
  const entries = results.filter(isObject).flatMap(({ name, tag_last_pushed: pushed }) => {
    const pushedMs = typeof pushed === 'string' ? Date.parse(pushed) : Number.NaN;
    return typeof name === 'string' && !Number.isNaN(pushedMs) ? [{ tag: name, pushedMs }] : [];
  });
  return { entries, isLast: typeof next !== 'string' || results.length === 0 };
}
