/** Git's commit objects: writing one, and reading the fields that are needed. */
import type { CommitAuthor, NewCommit } from '../pipeline/ports.ts';
import { damaged, internal, missingObject } from './errors.ts';
import { createObject, type Found, maxMetadataBytes, type NewObject } from './object.ts';
import type { SignCommit } from './sign-commit.ts';
import { editTree } from './tree.ts';

interface CommitFields {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: CommitAuthor;
  /** Milliseconds since 1970, UTC. */
  readonly whenMs: number;
}

/** A commit made in memory with everything that is new in it. */
export interface BuiltCommit {
  readonly oid: string;
  readonly base: string;
  /** Blobs, trees and the commit itself, each once. */
  readonly objects: readonly NewObject[];
  /** Path to the id of its new blob. */
  readonly blobs: ReadonlyMap<string, string>;
}

/** `Name <email> seconds +0000`. Characters that would end a field are taken out, as git does. */
export function formatIdentity(author: CommitAuthor, whenMs: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would break the header's lines
  const clean = (text: string): string => text.replace(/[<>\u0000-\u001f\u007f]/g, '').trim();
  return `${clean(author.name)} <${clean(author.email)}> ${Math.floor(whenMs / 1000)} +0000`;
}

/** The commit's body: author and committer alike, in UTC, so that the same input gives the same id. Source: git's "git-commit-tree". */
export function formatCommit({ tree, parents, message, author, whenMs }: CommitFields): Buffer {
  const identity = formatIdentity(author, whenMs);
  const text = message.replaceAll('\0', '').replace(/\n*$/, '\n');
  const headers = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${identity}`,
    `committer ${identity}`,
  ];
  return Buffer.from(`${headers.join('\n')}\n\n${text}`, 'utf8');
}

/** The commit's body with a signature over all the rest of it as its last header. Source: git's "gitformat-signature". */
function addSignature(body: Buffer, signature: string): Buffer {
  const end = body.indexOf('\n\n') + 1;
  const header = `gpgsig ${signature.trimEnd().split(/\r?\n/).join('\n ')}\n`;
  return Buffer.concat([body.subarray(0, end), Buffer.from(header, 'latin1'), body.subarray(end)]);
}

/** The root tree's id of a commit's body; throws `RepoInvalid` on damage. */
export function parseCommitTree(body: Buffer): string {
  const match = /^tree ([0-9a-f]{40})\n/.exec(body.toString('latin1', 0, 46));
  if (match?.[1] === undefined) throw damaged('a commit object', 'it names no tree');
  return match[1];
}

/** The parents' ids of a commit's body, in its order. */
export function parseParents(body: Buffer): string[] {
  const parents: string[] = [];
  // `tree <id>` first, then one line of the same shape for each parent.
  for (let at = 46; body.toString('latin1', at, at + 7) === 'parent '; at += 48)
    parents.push(body.toString('latin1', at + 7, at + 47));
  return parents;
}

/** Where objects come from: a store's `find`. */
export type FindObject = (oid: string, maxBytes: number) => Found | undefined;

/** The body of an object of that type; throws `RepoInvalid` where it is missing, oversized or of another type. */
export function readBody(find: FindObject, oid: string, type: 'commit' | 'tree'): Buffer {
  const found = find(oid, maxMetadataBytes);
  if (found === undefined) throw missingObject(oid);
  if (found.type !== type) throw damaged(`object "${oid}"`, `it is a ${found.type}, a ${type} was wanted`);
  if (!('body' in found)) throw damaged(`object "${oid}"`, `it has ${found.oversizedBytes} bytes`);
  return found.body;
}

/** The commit with its new blobs and trees, signed if there is a signer, nothing written. Throws `Internal` where a changed path is no file of the base, and what `sign` throws. */
export async function buildCommit(commit: NewCommit, find: FindObject, sign?: SignCommit): Promise<BuiltCommit> {
  if (!Number.isFinite(commit.whenMs)) throw internal(`Cannot commit at "${commit.whenMs}": a time was wanted`);
  const objects = new Map<string, NewObject>();
  const blobs = new Map<string, string>();
  for (const [path, bytes] of commit.changes) {
    const blob = createObject('blob', bytes);
    objects.set(blob.oid, blob);
    blobs.set(path, blob.oid);
  }
  const root = parseCommitTree(readBody(find, commit.base.commit, 'commit'));
  const edited = editTree({ root, blobs, readTree: (oid) => readBody(find, oid, 'tree') });
  for (const tree of edited.trees) objects.set(tree.oid, tree);
  const { author, whenMs } = commit;
  const message = commit.seal?.(edited.root) ?? commit.message;
  const body = formatCommit({ tree: edited.root, parents: [commit.base.commit], message, author, whenMs });
  const made = createObject('commit', sign === undefined ? body : addSignature(body, await sign(body, { whenMs })));
  objects.set(made.oid, made);
  return { oid: made.oid, base: commit.base.commit, objects: [...objects.values()], blobs };
}
