/** Git's tree objects: decoding, and replacing entries without touching the others. */
import { damaged, internal, unreadable } from './errors.ts';
import { createObject, type NewObject } from './object.ts';

/** One entry of one folder. `{ mode: '100644', name: 'web.yaml', oid: '3b18…', oidAt: 16 }` */
export interface TreeEntry {
  /** Octal, as git writes it: `40000` is a folder. */
  readonly mode: string;
  /** The name's bytes as latin1, so that a name which is not UTF-8 is kept; `decodeName` gives the text. */
  readonly name: string;
  readonly oid: string;
  /** Where the 20 bytes of the id start in the tree's body. */
  readonly oidAt: number;
}

/** Names that git itself refuses in a tree: they would escape the folder or reach into the repository's own files. */
const forbiddenName = /^(?:\.{0,2}|\.git)$/i;

/** The entries of a tree object's body, in its order; throws `RepoInvalid` on damage. Source: git's "git-mktree", "gitcore-tutorial". */
export function parseTree(body: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const end = space === -1 ? -1 : body.indexOf(0, space);
    if (end === -1 || end + 21 > body.length) throw damaged('a tree object', 'it is cut off');
    const mode = body.toString('latin1', at, space);
    const name = body.toString('latin1', space + 1, end);
    if (!/^[0-7]{5,6}$/.test(mode)) throw damaged('a tree object', 'an entry has no valid mode');
    if (forbiddenName.test(name) || name.includes('/'))
      throw unreadable('a tree object', `an entry has the name ${JSON.stringify(name)}, which git forbids`);
    entries.push({ mode, name, oid: body.toString('hex', end + 1, end + 21), oidAt: end + 1 });
    at = end + 21;
  }
  return entries;
}

export function isFolder(entry: TreeEntry): boolean {
  return entry.mode === '40000' || entry.mode === '040000';
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The name (bytes as latin1) as text; undefined where the bytes are not UTF-8: no text would lead back to them.
 *
 * @example
 * decodeName('gr\u00c3\u00b6\u00c3\u009fe.yaml') // 'größe.yaml'
 */
export function decodeName(name: string): string | undefined {
  if (isAscii(name)) return name;
  try {
    return utf8.decode(Buffer.from(name, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The text as `TreeEntry.name` has it. */
export function encodeName(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
  return /^[\x00-\x7f]*$/.test(text);
}

interface TreeEdit {
  readonly root: string;
  /** Path to the id of its new blob. */
  readonly blobs: ReadonlyMap<string, string>;
  /** The body of a tree by id. */
  readonly readTree: (oid: string) => Buffer;
}

/**
 * The new root tree and the trees on the way to each replaced blob. Only ids are overwritten, so order, modes and
 * unusual entries stay byte for byte. Throws `Internal` where a path is no file of `root`.
 */
export function editTree({ root, blobs, readTree }: TreeEdit): { root: string; trees: NewObject[] } {
  const trees: NewObject[] = [];
  const folders = groupByFolder(blobs);
  const edit = (oid: string, prefix: string): string => {
    const body = Buffer.from(readTree(oid));
    const entries = new Map(parseTree(body).map((entry) => [entry.name, entry]));
    for (const segment of folders.get(prefix) ?? []) {
      const path = prefix + segment;
      const entry = entries.get(encodeName(segment));
      const blob = blobs.get(path);
      const fits = entry && (blob === undefined ? isFolder(entry) : entry.mode.startsWith('100'));
      if (!fits)
        throw internal(`Cannot commit "${path}": the base commit has no such file, an existing one was wanted`);
      body.write(blob ?? edit(entry.oid, `${path}/`), entry.oidAt, 'hex');
    }
    const tree = createObject('tree', body);
    if (tree.oid !== oid) trees.push(tree);
    return tree.oid;
  };
  return { root: edit(root, ''), trees };
}

/** Folder prefix (`''`, `apps/`) to the names changed directly in it. */
function groupByFolder(blobs: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>();
  for (const path of blobs.keys()) {
    let prefix = '';
    for (const segment of path.split('/')) {
      const names = folders.get(prefix) ?? new Set();
      folders.set(prefix, names.add(segment));
      prefix += `${segment}/`;
    }
  }
  return folders;
}
