/** Which commits of a branch contain another one. */

interface Linked {
  readonly id: string;
  readonly parents: readonly string[];
}

/**
 * The commit, and those listed that descend from it; undefined where it is not listed. A parent never stands before its
 * child in the list, as Git lists them.
 *
 * @example
 * findDescendants([{ id: 'b', parents: ['a'] }, { id: 'a', parents: [] }], 'a') // new Set(['a', 'b'])
 */
export function findDescendants(commits: readonly Linked[], id: string): ReadonlySet<string> | undefined {
  const start = commits.findIndex((commit) => commit.id === id);
  if (start === -1) return undefined;
  const found = new Set([id]);
  for (const commit of commits.slice(0, start).reverse())
    if (commit.parents.some((parent) => found.has(parent))) found.add(commit.id);
  return found;
}
