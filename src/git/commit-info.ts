/** Commits as people read them: author, time and message, however odd the tool that wrote them. Source: git's "gitformat-commit", "git-commit-tree". */
import type { CommitInfo } from '../pipeline/ports.ts';
import { parseParents } from './commit.ts';

/**
 * What the commit's body says. Never throws: a field that is missing or makes no sense is empty or 0.
 *
 * @example
 * parseCommitInfo('1f…', Buffer.from('tree …\nauthor Ada <ada@acme.test> 1700000000 +0100\ncommitter …\n\nFix\n')).message // 'Fix\n'
 */
export function parseCommitInfo(id: string, body: Buffer): CommitInfo {
  const blank = body.indexOf('\n\n');
  const head = body.subarray(0, blank === -1 ? body.length : blank);
  const headers = head.toString('latin1').split('\n');
  const decode = findDecoder(findHeader(headers, 'encoding'));
  const author = findHeader(headers, 'author');
  return {
    id,
    parents: parseParents(body),
    tree: /^[0-9a-f]{40}$/.exec(findHeader(headers, 'tree'))?.[0] ?? '',
    message: blank === -1 ? '' : decode(body.subarray(blank + 2)),
    author: parseIdentity(decode(Buffer.from(author, 'latin1'))),
    whenMs: parseTime(findHeader(headers, 'committer')),
  };
}

/** The header's value, bytes as latin1; lines that go on (`gpgsig`, `mergetag`) begin with a space and are none. */
function findHeader(headers: readonly string[], name: string): string {
  const line = headers.find((header) => header.startsWith(`${name} `));
  return line === undefined ? '' : line.slice(name.length + 1).replace(/\r$/, '');
}

function findDecoder(encoding: string): (bytes: Buffer) => string {
  const asUtf8 = (bytes: Buffer): string => bytes.toString('utf8');
  if (encoding === '') return asUtf8;
  try {
    const decoder = new TextDecoder(encoding.trim());
    return (bytes) => decoder.decode(bytes);
  } catch {
    // A name that nobody knows: as if there were none.
    return asUtf8;
  }
}

/** `Name <email> seconds zone`; what is not there is empty. */
function parseIdentity(text: string): { name: string; email: string } {
  const open = text.indexOf('<');
  if (open === -1) return { name: text.replace(/\s+-?\d+\s+[+-]\d+\s*$/, '').trim(), email: '' };
  const close = text.indexOf('>', open);
  return { name: text.slice(0, open).trim(), email: text.slice(open + 1, close === -1 ? undefined : close).trim() };
}

/** The seconds behind the identity, in milliseconds; 0 where there are none. */
function parseTime(text: string): number {
  const seconds = Number(/(-?\d{1,13})(?:\s+[+-]\d+)?\s*$/.exec(text.slice(text.lastIndexOf('>') + 1))?.[1] ?? 0);
  return seconds * 1000;
}
