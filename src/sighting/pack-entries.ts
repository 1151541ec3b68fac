/** The entries of one repository as text, as every ledger keeps them: checked when they are read, for others can write there. */
import { isDigest, isTag } from '../image/reference.ts';
import type { LedgerEntry } from './sighting.ts';

/** Changes with the form, so that an older one is not taken for this. */
const form = 'tallyman-ledger-1';

/**
 * A head (form, count, repository) and one line for each tag: tag, the two times in base 36, the two digests; ends that are
 * empty are left out. A thousand tags nobody looked behind are some 20 kB.
 *
 * @example
 * packEntries('ghcr.io/acme/web', new Map([['1.0.0', { seenMs: 36, digest: undefined, digestSeenMs: undefined, movedFrom: undefined }]])) // 'tallyman-ledger-1\t1\tghcr.io/acme/web\n1.0.0\t10\n'
 */
export function packEntries(repository: string, entries: ReadonlyMap<string, LedgerEntry>): string {
  let text = `${form}\t${entries.size}\t${repository}\n`;
  for (const [tag, { seenMs, digest, digestSeenMs, movedFrom }] of entries) {
    text += `${tag}\t${seenMs.toString(36)}`;
    if (digest !== undefined && digestSeenMs !== undefined) text += `\t${digestSeenMs.toString(36)}\t${digest}`;
    if (movedFrom !== undefined) text += `\t${movedFrom}`;
    text += '\n';
  }
  return text;
}

/** What was packed, or what is wrong with it. */
export type UnpackedEntries = { readonly entries: ReadonlyMap<string, LedgerEntry> } | { readonly fault: string };

/**
 * The entries in the text; `fault` where it is no whole text of that repository.
 *
 * @example
 * unpackEntries('ghcr.io/acme/web', 'tallyman-ledger-1\t1\tghcr.io/acme/web\n') // { fault: '0 of 1 entries are there' }
 */
export function unpackEntries(repository: string, text: string): UnpackedEntries {
  const lines = text.split('\n');
  const [found, count, name] = (lines[0] ?? '').split('\t');
  if (found !== form) return { fault: `it does not begin with "${form}"` };
  if (name !== repository) return { fault: 'it is about another repository' };
  const entries = new Map<string, LedgerEntry>();
  for (let index = 1; index < lines.length - 1; index += 1) {
    const line = lines[index] ?? '';
    const [tag = '', ...fields] = line.split('\t');
    const entry = isTag(tag) ? readEntry(fields) : undefined;
    if (entry === undefined || entries.has(tag)) return { fault: `line ${index + 1} is no entry` };
    entries.set(tag, entry);
  }
  if (lines.at(-1) !== '' || String(entries.size) !== count)
    return { fault: `${entries.size} of ${count} entries are there` };
  return { entries };
}

function readEntry([seen = '', digestSeen, digest, movedFrom, ...more]: readonly string[]): LedgerEntry | undefined {
  const seenMs = readTime(seen);
  if (seenMs === undefined || more.length > 0) return undefined;
  if (digestSeen === undefined) return { seenMs, digest: undefined, digestSeenMs: undefined, movedFrom: undefined };
  const digestSeenMs = readTime(digestSeen);
  const digests = movedFrom === undefined ? [digest] : [digest, movedFrom];
  if (digestSeenMs === undefined || !digests.every((one) => isDigest(one ?? ''))) return undefined;
  return { seenMs, digest, digestSeenMs, movedFrom };
}

/** Within what a Date holds. */
const maxTimeMs = 8.64e15;

function readTime(text: string): number | undefined {
  const ms = /^[0-9a-z]{1,11}$/.test(text) ? Number.parseInt(text, 36) : Number.NaN;
  return ms <= maxTimeMs ? ms : undefined;
}
