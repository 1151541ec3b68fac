/** Finds single files in a commit, reading only the folders on the way. */
import { type FindObject, parseCommitTree, readBody } from './commit.ts';
import { encodeName, isFolder, parseTree, type TreeEntry } from './tree.ts';

/** The blob ids of those paths that are regular files in the commit. */
export function findFiles(commit: string, paths: Iterable<string>, find: FindObject): Map<string, string> {
  const folders = new Map<string, Map<string, TreeEntry>>();
  const list = (tree: string): Map<string, TreeEntry> => {
    const known = folders.get(tree);
    if (known !== undefined) return known;
    const entries = new Map(parseTree(readBody(find, tree, 'tree')).map((entry) => [entry.name, entry]));
    folders.set(tree, entries);
    return entries;
  };
  const root = parseCommitTree(readBody(find, commit, 'commit'));
  const found = new Map<string, string>();
  for (const path of paths) {
    const segments = path.split('/').map(encodeName);
    const name = segments.pop() ?? '';
    let tree: string | undefined = root;
    for (const segment of segments) {
      const entry: TreeEntry | undefined = tree === undefined ? undefined : list(tree).get(segment);
      tree = entry && isFolder(entry) ? entry.oid : undefined;
    }
    const file = tree === undefined ? undefined : list(tree).get(name);
    if (file && /^100\d{3}$/.test(file.mode)) found.set(path, file.oid);
  }
  return found;
}
