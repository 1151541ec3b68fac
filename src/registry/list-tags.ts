/** Lists a repository's tags: all of them, or an error. */
import { TallymanError } from '../error/tallyman-error.ts';
import { isTag } from '../image/reference.ts';
import type { RepositoryAccess } from './access.ts';
import type { HttpAnswer } from './http.ts';
import { parseJsonObject } from './json.ts';
import { findNextLink } from './link.ts';
import { findNextUrl } from './next-url.ts';
import type { PageMemory } from './page-memory.ts';
import { quote } from './quote.ts';
import { readUploadTimes } from './upload-times.ts';

export interface TagList {
  /** Each once, in the order they came. */
  readonly tags: readonly string[];
  /** Entries left out: no tag by the grammar (null, digests), or the tag of a signature or attestation. */
  readonly dropped: number;
  /** When each was pushed, in milliseconds since 1970; undefined where the listing does not say. */
  readonly pushedMs: ReadonlyMap<string, number> | undefined;
}

interface Page {
  /** As it was asked for. */
  readonly url: URL;
  /** As the registry sent them. */
  readonly entries: readonly unknown[];
  readonly next: string | undefined;
  /** GCR's and Artifact Registry's member of that name: their manifests, by digest. */
  readonly manifest: unknown;
}

/** ECR refuses more with 405, ACR returns 1000 for more. */
const pageSize = 1000;
/** Statuses that no other page size would change. */
const finalStatuses: readonly number[] = [401, 403, 404, 408, 429];
/** OCI distribution-spec, "Referrers Tag Schema", and cosign's suffixes. */
const referrerTag = /^sha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/;

/**
 * Every tag that the registry holds for the repository. Throws ListingTruncated where the whole list cannot be had:
 * a part of it would look like a repository whose newer tags are gone.
 * Source: OCI distribution-spec, "Listing Tags".
 */
export async function listTags(access: RepositoryAccess, memory: PageMemory): Promise<TagList> {
  const { maxPages, maxTags } = access.limits;
  const tags = new Set<string>();
  const pushedMs = new Map<string, number>();
  let pages = 0;
  let dropped = 0;
  for await (const page of readPages({ ...access, memory })) {
    pages += 1;
    if (pages > maxPages) throw truncate(access, `there are more pages than ${maxPages}`);
    readUploadTimes(page.manifest, pushedMs);
    for (const entry of page.entries) {
      if (typeof entry === 'string' && isTag(entry) && !referrerTag.test(entry)) tags.add(entry);
      else dropped += 1;
    }
    if (tags.size > maxTags) throw truncate(access, `there are more tags than ${maxTags}`);
  }
  return { tags: [...tags], dropped, pushedMs: pushedMs.size === 0 ? undefined : pushedMs };
}

/** The access with the pages that were read before. */
interface PagedAccess extends RepositoryAccess {
  readonly memory: PageMemory;
}

async function* readPages(access: PagedAccess): AsyncGenerator<Page> {
  const visited = new Set<string>();
  let page: Page | undefined = await fetchFirstPage(access);
  while (page !== undefined) {
    yield page;
    visited.add(page.url.href);
    const url: URL | undefined = page.next === undefined ? undefined : planNextUrl(access, page, page.next);
    if (url !== undefined && visited.has(url.href)) throw truncate(access, 'a page points back to one already read');
    page = url === undefined ? await fetchUnlinkedPage(access, page) : await fetchPage(access, url);
  }
}

async function fetchFirstPage(access: PagedAccess): Promise<Page> {
  const bare = new URL(`/v2/${access.repository.path}/tags/list`, access.origin);
  const sized = new URL(`?n=${pageSize}`, bare);
  const answer = await getPage(access, sized);
  const refusesSize = answer.status >= 400 && answer.status < 500 && !finalStatuses.includes(answer.status);
  return refusesSize ? fetchPage(access, bare) : readPage(access, sized, answer);
}

async function fetchPage(access: PagedAccess, url: URL): Promise<Page> {
  return readPage(access, url, await getPage(access, url));
}

function getPage({ ask, limits, memory }: PagedAccess, url: URL): Promise<HttpAnswer> {
  return memory.ask(ask, { url, accept: 'application/json', maxBodyBytes: limits.maxTagPageBytes });
}

function readPage(access: RepositoryAccess, url: URL, answer: HttpAnswer): Page {
  if (answer.status !== 200) throw access.fail(answer);
  const { tags: entries, manifest } = parseJsonObject(answer.body) ?? {};
  if (entries !== null && !Array.isArray(entries)) {
    const found = `the answer of "${quote(answer.url.host, 80)}" is no tag list`;
    throw new TallymanError('RegistryInvalid', `Cannot ${access.task}: ${found}, a JSON object with "tags" was wanted`);
  }
  return { url, entries: entries ?? [], next: findNextLink(answer.headers.link ?? ''), manifest };
}

/** The link as it stands, on the same origin; Artifactory's lacks the repository, so only its `last` is taken over. */
function planNextUrl(access: RepositoryAccess, page: Page, link: string): URL {
  const refuse = (found: string): TallymanError =>
    new TallymanError('RegistryInvalid', `Cannot ${access.task}: the link to the next page ${found} was wanted`);
  const next = findNextUrl(link, page.url);
  if (next === undefined) throw refuse('is no URL, a URL');
  if (next.origin !== access.origin) throw refuse(`leads to "${quote(next.origin, 80)}", a page of "${access.origin}"`);
  if (next.pathname.endsWith(`/${access.repository.path}/tags/list`)) return next;
  const last = next.searchParams.get('last');
  if (last === null) throw refuse('leads to another repository, a page of this one');
  return withQuery(page.url, { last });
}

/**
 * What follows a page without a link. Nexus before 3.64 sends none although there is more, so a page that is exactly
 * full is asked to go on. Where the registry ignores that, another size tells whether it pages at all: Distribution 2
 * does not, and a list of just that length is whole.
 */
async function fetchUnlinkedPage(access: PagedAccess, page: Page): Promise<Page | undefined> {
  const last = page.entries.findLast((entry) => typeof entry === 'string');
  const isFull = page.url.searchParams.get('n') === String(pageSize) && page.entries.length === pageSize;
  if (!isFull || typeof last !== 'string') return undefined;
  const next = await fetchPage(access, withQuery(page.url, { last }));
  // Some begin the page with the tag itself.
  if (next.entries[0] === last) return next.entries.length === 1 ? undefined : next;
  if (!next.entries.includes(last)) return next.entries.length === 0 ? undefined : next;
  const smaller = await fetchPage(access, withQuery(page.url, { n: String(pageSize - 1) }));
  if (smaller.entries.length >= pageSize) return undefined;
  throw truncate(access, `the registry ends a page after ${pageSize} tags and gives no other`);
}

function withQuery(url: URL, query: Readonly<Record<string, string>>): URL {
  const changed = new URL(url);
  for (const [name, text] of Object.entries(query)) changed.searchParams.set(name, text);
  return changed;
}

function truncate(access: RepositoryAccess, found: string): TallymanError {
  return new TallymanError('ListingTruncated', `Cannot ${access.task}: ${found}, the whole list was wanted`);
}
