/** Looks at the branches and pull requests that are there. */
import { TallymanError } from '../error/tallyman-error.ts';
import { readMarks } from '../hold/marks.ts';
import type { ClosedVersion } from '../propose/hold-closed.ts';
import type { KnownBranch } from '../propose/plan-proposals.ts';
import { isCut, isOver } from '../propose/pull-request-text.ts';
import { createHoldMemory, type HoldMemory } from './find-holds.ts';
import type { CommitInfo, Forge, PullRequest, RepoBranches, RepoHistory } from './ports.ts';
import { readOwnCommit } from './propose-mark.ts';

/** What pull requests are made with. */
export interface Proposing {
  readonly forge: Forge;
  readonly branches: RepoBranches;
  readonly memory: ProposalMemory;
}

/** What is kept between passes. */
export interface ProposalMemory {
  /** Whether there may be branches of ours; looked at once also where no policy asks for pull requests. */
  mayHaveBranches: boolean;
  /** By id, of the branches that were there in the last pass, and of closed pull requests. */
  commits: Map<string, CommitInfo>;
  /** Of the policies that ask for pull requests, for these merge commits. */
  holds?: { readonly key: string; readonly holds: HoldMemory };
}

export function createProposalMemory(): ProposalMemory {
  return { mayHaveBranches: true, commits: new Map() };
}

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The branches with that prefix, and whether their commits are as we made them. */
export async function findBranches(
  { branches, memory }: Proposing,
  prefix: string,
  options: CallOptions,
): Promise<readonly KnownBranch[]> {
  const tips = await branches.listBranches(prefix, options);
  const found: KnownBranch[] = [];
  for (const [name, commit] of tips) {
    const info = memory.commits.get(commit) ?? (await branches.readCommit(commit, options));
    memory.commits.set(commit, info);
    found.push({ name, commit, own: readOwnCommit(info) });
  }
  return found;
}

/** What persons closed: versions of pull requests that they closed without a merge, and that are in no open one of the branch. */
export async function findClosedVersions(
  proposing: Proposing,
  { pullRequests, branches }: { pullRequests: readonly PullRequest[]; branches: readonly KnownBranch[] },
  options: CallOptions,
): Promise<readonly ClosedVersion[]> {
  const reopened = new Set<string>();
  for (const { headBranch } of pullRequests.filter(({ state }) => state === 'open')) {
    const commit = branches.find(({ name }) => name === headBranch)?.commit;
    const message = commit === undefined ? undefined : proposing.memory.commits.get(commit)?.message;
    for (const { policy, to } of readMarks(message ?? '')?.updates ?? []) reopened.add(`${headBranch} ${policy} ${to}`);
  }
  const closed: ClosedVersion[] = [];
  for (const pullRequest of pullRequests.filter(({ state, body }) => state === 'closed' && !isOver(body))) {
    const { headBranch, url } = pullRequest;
    const resumed = readMarks(pullRequest.body)?.resumes ?? [];
    for (const { policy, to } of readMarks(await readText(proposing, pullRequest, options))?.updates ?? [])
      if (!resumed.includes(policy) && !reopened.has(`${headBranch} ${policy} ${to}`))
        closed.push({ policy, version: to, url });
  }
  return closed;
}

/**
 * The history as if each squash said what its pull request did: forges leave that out, or people do (GitLab and Gitea take
 * the title alone by default), or keep a part. Where a merge kept our commit, that one speaks for itself.
 */
export function tellMerged<Repo extends RepoHistory>(
  repo: Repo,
  proposing: Proposing,
  pullRequests: readonly PullRequest[],
): Repo {
  const merged = new Map(pullRequests.map((pullRequest) => [pullRequest.mergeCommit, pullRequest]));
  return {
    ...repo,
    async listCommits(from, options) {
      const listed = await repo.listCommits(from, options);
      const told: CommitInfo[] = [];
      for (const commit of listed.commits) {
        const pullRequest = commit.parents.length === 1 ? merged.get(commit.id) : undefined;
        const text =
          pullRequest === undefined ? '' : await readMore(proposing, { message: commit.message, pullRequest }, options);
        told.push(text === '' ? commit : { ...commit, message: `${commit.message}\n\n${text}` });
      }
      return { ...listed, commits: told };
    },
  };
}

/** What the pull request says besides its squash's message; what it says of holds counts while it is closed, not in history. */
async function readMore(
  proposing: Proposing,
  { message, pullRequest }: { message: string; pullRequest: PullRequest },
  options: CallOptions,
): Promise<string> {
  const isSilent = (readMarks(message)?.updates ?? []).length === 0 || isCut(message);
  const text = isSilent ? await readText(proposing, pullRequest, options) : pullRequest.body;
  return text.replace(/^Tallyman-(?:Hold|Resume): .*/gm, '');
}

/** The memory of holds that goes with those pull requests: what history says changes with each merge. */
export function findHoldMemory({ memory }: Proposing, pullRequests: readonly PullRequest[]): HoldMemory {
  const key = pullRequests.flatMap(({ mergeCommit }) => mergeCommit ?? []).join(' ');
  if (memory.holds?.key !== key) memory.holds = { key, holds: createHoldMemory() };
  return memory.holds.holds;
}

/** The body, or the commit's message where somebody emptied the body or it had no room for all. */
async function readText(
  { branches, memory }: Proposing,
  { body, headCommit }: PullRequest,
  options: CallOptions,
): Promise<string> {
  const isTold = (readMarks(body)?.updates ?? []).length > 0;
  if ((isTold && !isCut(body)) || headCommit === '') return body;
  try {
    const info = memory.commits.get(headCommit) ?? (await branches.readCommit(headCommit, options));
    memory.commits.set(headCommit, info);
    return readMarks(info.message) === undefined ? body : info.message;
  } catch (error) {
    // A commit that no branch leads to any more may be gone: then the body is all that is known.
    if (error instanceof TallymanError && error.code === 'RepoInvalid') return body;
    throw error;
  }
}
