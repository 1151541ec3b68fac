/** Frees what persons held by closing pull requests. */
import type { Policy } from '../policy/policy.ts';
import { formatBranchPrefix } from '../propose/branch-name.ts';
import { markResumed } from '../propose/pull-request-text.ts';
import { nameProposal } from './propose-changes.ts';
import { findBranches, findClosedVersions, type Proposing } from './propose-facts.ts';

/**
 * The addresses of the closed pull requests that held versions of the policy: each says from now on that it holds them no
 * more. None where there were none.
 */
export async function resumeClosed(
  proposing: Proposing,
  { policy, baseBranch }: { policy: Policy; baseBranch: string },
  options: { signal: AbortSignal },
): Promise<readonly string[]> {
  const { forge } = proposing;
  const prefix = formatBranchPrefix(baseBranch);
  const branches = await findBranches(proposing, prefix, options);
  const closedOf = [nameProposal(policy, baseBranch)];
  const pullRequests = await forge.listPullRequests({ baseBranch, prefix, closedOf }, options);
  const closed = await findClosedVersions(proposing, { pullRequests, branches }, options);
  const urls = new Set(closed.filter((version) => version.policy === policy.key).map(({ url }) => url));
  for (const { number, title, body, url } of pullRequests)
    if (urls.has(url)) await forge.updatePullRequest(number, { title, body: markResumed(body, policy.key) }, options);
  return [...urls];
}
