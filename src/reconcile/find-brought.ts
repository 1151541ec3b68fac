/** Which commits came to a branch, and by which of its own. */

interface Linked {
  readonly id: string;
  readonly parents: readonly string[];
}

/**
 * The commits that the branch itself got since it was at that one, oldest first, each with those that it brought along, itself
 * among them: a merge brings those of another branch. None where it does not descend from it. A parent never stands before its
 * child in the list, as Git lists them.
 *
 * @example
 * [...findBrought([{ id: 'b', parents: ['a'] }, { id: 'a', parents: [] }], 'a').keys()] // [{ id: 'b', parents: ['a'] }]
 */
export function findBrought<Commit extends Linked>(
  commits: readonly Commit[],
  since: string,
): ReadonlyMap<Commit, readonly Commit[]> {
  const old = new Set([since]);
  for (const { id, parents } of commits) if (old.has(id)) for (const parent of parents) old.add(parent);
  const own: Commit[] = [];
  let next = commits[0]?.id;
  for (const commit of commits) {
    if (commit.id !== next || old.has(commit.id)) continue;
    own.unshift(commit);
    next = commit.parents[0];
  }
  if (next === undefined || !old.has(next)) return new Map();
  return new Map(own.map((commit) => [commit, takeNew(commits, commit.id, old)]));
}

/** The commit and what it descends from, but for what is old; from then on that is old, too. */
function takeNew<Commit extends Linked>(commits: readonly Commit[], id: string, old: Set<string>): readonly Commit[] {
  const wanted = new Set([id]);
  const found = commits.filter((commit) => {
    if (!wanted.has(commit.id) || old.has(commit.id)) return false;
    for (const parent of commit.parents) wanted.add(parent);
    return true;
  });
  for (const commit of found) old.add(commit.id);
  return found;
}
