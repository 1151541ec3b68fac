/** The entries of one repository as text, as every ledger keeps them: checked when they are read, for others can write there. */
import { isDigest, isTag } from '../image/reference.ts';
import type { LedgerEntry } from './sighting.ts';

/** Changes with the form, so that an older one is not taken for this. */
const form = 'tallyman-ledger-1';

/**
 * A head (form, checksum, repository) and one line for each tag: tag, the two times in base 36, the two digests; ends that
 * are empty are left out. A thousand tags nobody looked behind are some 20 kB.
 *
 * @example
 * packEntries('ghcr.io/acme/web', new Map([['1.0.0', { seenMs: 36, digest: undefined, digestSeenMs: undefined, movedFrom: undefined }]])) // 'tallyman-ledger-1\tb1c7b24c\tghcr.io/acme/web\n1.0.0\t10\n'
 */
export function packEntries(repository: string, entries: ReadonlyMap<string, LedgerEntry>): string {
  let lines = '';
  for (const [tag, { seenMs, digest, digestSeenMs, movedFrom }] of entries) {
    lines += `${tag}\t${seenMs.toString(36)}`;
    if (digest !== undefined && digestSeenMs !== undefined) lines += `\t${digestSeenMs.toString(36)}\t${digest}`;
    if (movedFrom !== undefined) lines += `\t${movedFrom}`;
    lines += '\n';
  }
  return `${form}\t${sum(lines)}\t${repository}\n${lines}`;
}

/** Tells a bit that turned, not a person who means it: FNV-1a of 32 bits (draft-eastlake-fnv, section 2). */
function sum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** What was packed, or what is wrong with it. */
export type UnpackedEntries = { readonly entries: ReadonlyMap<string, LedgerEntry> } | { readonly fault: string };

/**
 * The entries in the text; `fault` where it is no whole text of that repository.
 *
 * @example
 * unpackEntries('ghcr.io/acme/web', 'tallyman-ledger-1\t811c9dc5\tghcr.io/acme/web\nv') // { fault: 'its checksum is another' }
 */
export function unpackEntries(repository: string, text: string): UnpackedEntries {
  const headEnd = text.indexOf('\n');
  const [found, checksum, name] = text.slice(0, Math.max(headEnd, 0)).split('\t');
  if (found !== form) return { fault: `it does not begin with "${form}"` };
  if (name !== repository) return { fault: 'it is about another repository' };
  const body = text.slice(headEnd + 1);
  if (sum(body) !== checksum) return { fault: 'its checksum is another' };
  const entries = new Map<string, LedgerEntry>();
  const lines = body.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '' && index === lines.length - 1) break;
    const [tag = '', ...fields] = line.split('\t');
    const entry = isTag(tag) ? readEntry(fields) : undefined;
    if (entry === undefined || entries.has(tag)) return { fault: `line ${index + 2} is no entry` };
    entries.set(tag, entry);
  }
  return { entries };
}

/**
 * The entry of one tag in a text that was packed here, and is whole; undefined where there is none.
 *
 * @example
 * findPacked('tallyman-ledger-1\tb1c7b24c\tghcr.io/acme/web\n1.0.0\t10\n', '1.0.0')?.seenMs // 36
 */
export function findPacked(text: string, tag: string): LedgerEntry | undefined {
  const head = `\n${tag}\t`;
  const start = text.indexOf(head);
  if (start === -1) return undefined;
  const from = start + head.length;
  return readEntry(text.slice(from, text.indexOf('\n', from)).split('\t'));
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
