/** Branch names. */
import { repoInvalid } from './errors.ts';

/** What git forbids in a ref name, and what would be an option or escape the folder of refs. Source: git's "git-check-ref-format". */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const forbidden = /^[-/.]|[\u0000- ~^:?*[\\\u007f]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[/.]$|^@?$/;

/** `refs/heads/<branch>`; throws `RepoInvalid` for a name that git would refuse. */
export function formatBranchRef(branch: string): string {
  if (forbidden.test(branch) || branch.length > 200)
    throw repoInvalid(
      `Cannot use branch ${JSON.stringify(branch.slice(0, 200))}: git allows no such name, a branch name was wanted`,
      'Correct `branch` under `repos`.',
    );
  return `refs/heads/${branch}`;
}

/** The branch's short name. `main` */
export function showBranch(ref: string): string {
  return ref.replace(/^refs\/heads\//, '');
}
