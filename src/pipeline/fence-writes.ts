/** Has writes happen only while there is leave for them; what is under way when it ends is cut off. */
import type { WritePermit } from './cluster-ports.ts';
import type { Forge, RepoBranches, YamlRepo } from './ports.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The adapter itself asks once more right before bytes leave: between here and there lies work. */
async function whilePermitted<Result>(
  permit: WritePermit,
  { signal }: CallOptions,
  write: (options: CallOptions) => Promise<Result>,
): Promise<Result> {
  permit.check();
  const over = permit.signal();
  return await write({ signal: over === undefined ? signal : AbortSignal.any([signal, over]) });
}

/** The same Yaml repo, whose pushes throw LeadershipLost where there is no leave. */
export function fenceRepo<Repo extends YamlRepo & RepoBranches>(repo: Repo, permit: WritePermit): Repo {
  return {
    ...repo,
    push: (commit, options) => whilePermitted(permit, options, (given) => repo.push(commit, given)),
    pushBranch: (push, options) => whilePermitted(permit, options, (given) => repo.pushBranch(push, given)),
    deleteBranch: (branch, options) => whilePermitted(permit, options, (given) => repo.deleteBranch(branch, given)),
  };
}

/** The same forge, whose changes throw LeadershipLost where there is no leave. */
export function fenceForge<Fenced extends Forge>(forge: Fenced, permit: WritePermit): Fenced {
  return {
    ...forge,
    openPullRequest: (request, options) =>
      whilePermitted(permit, options, (given) => forge.openPullRequest(request, given)),
    updatePullRequest: (number, text, options) =>
      whilePermitted(permit, options, (given) => forge.updatePullRequest(number, text, given)),
    closePullRequest: (number, options) =>
      whilePermitted(permit, options, (given) => forge.closePullRequest(number, { ...options, ...given })),
  };
}
