/** How far the times of one repository's tags have been read, page by page, newest first. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { HubPage, HubTag } from './hub-page.ts';

/** What earlier looks found out. */
export interface HubProgress {
  /** All times known, in milliseconds since 1970. */
  readonly times: ReadonlyMap<string, number>;
  /** Those of the last look that got through: below them nothing is unread. */
  readonly settled: ReadonlyMap<string, number>;
  /** The page at which a look was cut off; undefined where the last one got through. */
  readonly openPage: number | undefined;
}

export const noProgress: HubProgress = { times: new Map(), settled: new Map(), openPage: undefined };

/** Tags beyond are so old that their age hardly matters, and count as unknown. */
const maxPages = 100;

/**
 * Reads pages until what follows is known, and goes on where an earlier look was cut off. A page that cannot be had ends
 * the look, with that `fault`: what was read before counts. Only times of `tags` are kept.
 */
export async function readOn(
  before: HubProgress,
  tags: ReadonlySet<string>,
  readPage: (page: number) => Promise<HubPage>,
): Promise<{ readonly progress: HubProgress; readonly fault?: unknown }> {
  const times = new Map([...before.times].filter(([tag]) => tags.has(tag)));
  // One page of overlap: where tags were deleted, the others moved up.
  const leapTo = (before.openPage ?? 0) - 1;
  let page = 1;
  try {
    while (page <= maxPages) {
      const { entries, isLast } = await readPage(page);
      for (const { tag, pushedMs } of entries) if (tags.has(tag)) times.set(tag, pushedMs);
      if (isLast || isOldNews(entries, { tags, known: before.settled })) break;
      const leaps = leapTo > page && isOldNews(entries, { tags, known: before.times });
      page = leaps ? leapTo : page + 1;
    }
    return { progress: { times, settled: times, openPage: undefined } };
  } catch (fault) {
    return { progress: { times, settled: before.settled, openPage: findOpenPage(before, page, fault) }, fault };
  }
}

/** Where the next look goes on after a fault at the page. */
function findOpenPage({ openPage }: HubProgress, page: number, fault: unknown): number | undefined {
  // So many tags may be gone that there is no such page any more.
  if (fault instanceof TallymanError && fault.code === 'ImageNotFound' && page + 1 === openPage) return undefined;
  return page === 1 || page + 1 === openPage ? openPage : page;
}

/** Whether all of it was known, and the pages behind it are older still. What the registry does not list says nothing. */
function isOldNews(
  entries: readonly HubTag[],
  { tags, known }: { tags: ReadonlySet<string>; known: ReadonlyMap<string, number> },
): boolean {
  const isSorted = (entries.at(0)?.pushedMs ?? 0) >= (entries.at(-1)?.pushedMs ?? 0);
  const listed = entries.filter(({ tag }) => tags.has(tag));
  return isSorted && listed.length > 0 && listed.every(({ tag, pushedMs }) => known.get(tag) === pushedMs);
}
