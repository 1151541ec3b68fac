/** Finds the next page in a Link header. */

/** A target in angle brackets, or bare up to its parameters as old Quay and zot wrote it; then the parameters. */
const links = /(?:<([^<>]*)>|([^\s<>;,][^\s<>;]*))((?:\s*;\s*[a-z*]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/gi;
const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i;

/**
 * The target of the first link with `rel="next"`, as it was written; undefined where there is none.
 * Source: RFC 8288, section 3; brackets and quotes may be missing.
 *
 * @example
 * findNextLink('</v2/a/tags/list?last=b>; rel="next"') // '/v2/a/tags/list?last=b'
 */
export function findNextLink(header: string): string | undefined {
  // One space at most between words: the pattern tries each run of spaces twice.
  const line = header.replace(/\s+/g, ' ');
  for (const [, bracketed, bare, parameters = ''] of line.matchAll(links)) {
    const match = relation.exec(parameters);
    const relations = (match?.[1] ?? match?.[2] ?? '').toLowerCase().split(/\s+/);
    if (relations.includes('next')) return bracketed ?? bare;
  }
  return undefined;
}
