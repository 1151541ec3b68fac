/** Finds files that one commit has and another has not, or has otherwise, reading only the folders that differ. */
import type { ComparedCommits } from '../pipeline/ports.ts';
import { type FindObject, parseCommitTree, readBody } from './commit.ts';
import { unreadable } from './errors.ts';
import { decodeName, isFolder, parseTree, type TreeEntry } from './tree.ts';

const maxDepth = 128;
/** Far above what a hostile tree of trees shall unfold to. */
const maxEntries = 1_000_000;

interface Walk {
  readonly find: FindObject;
  readonly orChanged: boolean;
  readonly gone: Map<string, string>;
  entriesLeft: number;
}

/**
 * The blob ids of the regular files of `from` that are no files in `to`, by path; with `orChanged`, also of those that have other
 * bytes there. Names that are not UTF-8 are left out.
 */
export function findGoneFiles({ from, to, orChanged = false }: ComparedCommits, find: FindObject): Map<string, string> {
  const rootOf = (commit: string): string => parseCommitTree(readBody(find, commit, 'commit'));
  const walk: Walk = { find, orChanged, gone: new Map(), entriesLeft: maxEntries };
  walkFolder(walk, { tree: rootOf(from), other: rootOf(to) }, '');
  return walk.gone;
}

function walkFolder(walk: Walk, { tree, other }: { tree: string; other: string | undefined }, prefix: string): void {
  if (tree === other) return;
  if (prefix.split('/').length > maxDepth) throw unreadable(`folder "${prefix.slice(0, 80)}"`, 'it is nested too deep');
  const read = (id: string): readonly TreeEntry[] => parseTree(readBody(walk.find, id, 'tree'));
  const others = new Map(other === undefined ? [] : read(other).map((entry) => [entry.name, entry]));
  for (const entry of read(tree)) {
    if (--walk.entriesLeft < 0) throw unreadable('the commit', `it has more than ${maxEntries} entries`);
    const name = decodeName(entry.name);
    if (name === undefined) continue;
    const same = others.get(entry.name);
    const isInFolder = same !== undefined && isFolder(same);
    if (isFolder(entry)) {
      walkFolder(walk, { tree: entry.oid, other: isInFolder ? same.oid : undefined }, `${prefix}${name}/`);
    } else if (
      /^100\d{3}$/.test(entry.mode) &&
      (same === undefined || isInFolder || (walk.orChanged && same.oid !== entry.oid))
    ) {
      walk.gone.set(prefix + name, entry.oid);
    }
  }
}
