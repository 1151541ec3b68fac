/** Commits to snapshots: every file of a commit, reading only the folders that changed since the last one. */
import type { RepoFile, Snapshot } from '../pipeline/ports.ts';
import { showBranch } from './branch.ts';
import { type FindObject, parseCommitTree, readBody } from './commit.ts';
import { unreadable } from './errors.ts';
import type { Tip } from './remote-refs.ts';
import { decodeName, isFolder, parseTree } from './tree.ts';

export interface SnapshotReader {
  /**
   * The files of the branch's commit; the same object again for what was read last. A file whose name, or a folder's on the way to
   * it, is not UTF-8 is left out: its path cannot be told as text, and commits keep it byte for byte.
   */
  read(tip: Tip, find: FindObject): Snapshot;
}

/** Far above any repository that people edit, far below what a hostile tree of trees would unfold to. */
const maxEntries = 1_000_000;
const maxDepth = 128;

/** Remembers the folder listings of the last snapshot by tree id. */
export function createSnapshotReader(): SnapshotReader {
  let last: Snapshot | undefined;
  let listings = new Map<string, readonly RepoFile[]>();
  return {
    read({ commit, ref }, find) {
      const branch = showBranch(ref);
      if (last?.commit === commit && last.branch === branch) return last;
      const used = new Map<string, readonly RepoFile[]>();
      const root = parseCommitTree(readBody(find, commit, 'commit'));
      const files = listFiles({ find, known: listings, used, entries: { left: maxEntries } }, root, '');
      listings = used;
      last = { commit, branch, files };
      return last;
    },
  };
}

interface Walk {
  readonly find: FindObject;
  readonly known: ReadonlyMap<string, readonly RepoFile[]>;
  readonly used: Map<string, readonly RepoFile[]>;
  readonly entries: { left: number };
}

function listFiles(walk: Walk, tree: string, prefix: string): readonly RepoFile[] {
  const key = `${tree} ${prefix}`;
  const files: RepoFile[] = [];
  if (prefix.split('/').length > maxDepth) throw unreadable(`folder "${prefix.slice(0, 80)}"`, 'it is nested too deep');
  for (const entry of parseTree(readBody(walk.find, tree, 'tree'))) {
    if (--walk.entries.left < 0) throw unreadable('the commit', `it has more than ${maxEntries} entries`);
    const name = decodeName(entry.name);
    if (name === undefined) continue;
    const path = prefix + name;
    if (!isFolder(entry)) files.push({ path, oid: entry.oid, mode: entry.mode });
    else for (const file of findListing(walk, entry.oid, `${path}/`)) files.push(file);
  }
  walk.used.set(key, files);
  return files;
}

/** A folder's files: as remembered, with the listings of its own folders kept in memory too, or read. */
function findListing(walk: Walk, tree: string, prefix: string): readonly RepoFile[] {
  const known = walk.known.get(`${tree} ${prefix}`);
  if (known === undefined) return listFiles(walk, tree, prefix);
  walk.used.set(`${tree} ${prefix}`, known);
  return known;
}
