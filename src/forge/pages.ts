/** Lists that come in pages. */
import type { ForgeHttp, ForgeRequest } from './http.ts';

/**
 * What `read` finds on each page, as far as `maxPages`. The next page is where the Link header says.
 * Source: RFC 8288; GitHub's "Using pagination in the REST API", GitLab's "Pagination" and Gitea's API have the same.
 */
export async function listPages<Item>(
  http: ForgeHttp,
  request: Omit<ForgeRequest, 'method'>,
  { maxPages, read }: { maxPages: number; read: (json: unknown, request: ForgeRequest) => readonly Item[] },
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let next: string | undefined = request.path;
  for (let pages = 0; next !== undefined && pages < maxPages; pages += 1) {
    const page: ForgeRequest = { ...request, method: 'GET', path: next };
    const { json, headers } = await http.send(page);
    items.push(...read(json, page));
    next = findNextPage(headers.link ?? '');
  }
  return items;
}

/** The target of the link with `rel="next"`; undefined where there is none. Source: RFC 8288. */
function findNextPage(header: string): string | undefined {
  for (const [, target, parameters = ''] of header.matchAll(/<([^<>]*)>([^<]*)/g))
    if (/;\s*rel="?next"?/i.test(parameters)) return target;
  return undefined;
}
