/** Names of the branches that pull requests come from: `tallyman/<branch>/<group>`. */

/** What the branches of all groups begin with, for changes to `baseBranch`. */
export function formatBranchPrefix(baseBranch: string): string {
  return `tallyman/${baseBranch}/`;
}

/**
 * The group's own branch: no two groups share one, and git takes it whatever the group is called. What git refuses in a
 * name is written as `=` and two hexadecimal digits for each byte. Source: git's "git-check-ref-format".
 *
 * @example
 * nameBranch('main', 'my shop') // 'tallyman/main/my=20shop'
 */
export function nameBranch(baseBranch: string, group: string): string {
  const plain = group.replace(/[^A-Za-z0-9._-]+/g, escapeBytes);
  const safe = plain
    .replace(/^\.|\.$|(?<=\.)\./g, escapeBytes)
    .replace(/\.(?=lock$)/, escapeBytes)
    // An empty name is none.
    .replace(/^$/, '=');
  return `${formatBranchPrefix(baseBranch)}${safe}`;
}

function escapeBytes(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');
}
