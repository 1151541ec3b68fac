/** Decides what becomes of branches and pull requests. */
import { readMarks } from '../hold/marks.ts';

/** A pull request, as far as the decision looks at it. */
export interface KnownPullRequest {
  readonly number: number;
  readonly url: string;
  readonly headBranch: string;
  readonly state: 'open' | 'closed' | 'merged';
  readonly title: string;
  readonly body: string;
}

/** A branch of ours, as it is now. */
export interface KnownBranch {
  readonly name: string;
  readonly commit: string;
  /** What its commit says; undefined where the commit is not as we made it. */
  readonly own: OwnCommit | undefined;
}

export interface OwnCommit {
  readonly plan: string;
  /** Of the bytes that the touched files had before, and of what is carried of earlier versions. */
  readonly files: string;
  /** Keys of the policies whose versions it writes. */
  readonly policies: readonly string[];
}

/** What one group wants to be proposed. */
export interface WantedProposal extends OwnCommit {
  readonly group: string;
  readonly branch: string;
}

/** All that the decision depends on. Plain data. */
export interface ProposalFacts {
  readonly wanted: readonly WantedProposal[];
  /** All that begin with the prefix. */
  readonly branches: readonly KnownBranch[];
  /** Newest first. */
  readonly pullRequests: readonly KnownPullRequest[];
  /** Branches of groups of which a version is held: a person may open the pull request again. */
  readonly held: ReadonlySet<string>;
  /** Whether it is unknown in this pass what the policy wants. */
  readonly isDoubtful: (policy: string) => boolean;
}

/** One branch, and what is to be done about it. */
export type ProposalStep =
  /** The commit is made or replaced; then the pull request is opened or says so. */
  | {
      readonly kind: 'push';
      readonly wanted: WantedProposal;
      readonly expected: string | undefined;
      readonly pullRequest: KnownPullRequest | undefined;
    }
  /** The commit is there; the pull request is to be opened, or speaks of an earlier one. */
  | { readonly kind: 'show'; readonly wanted: WantedProposal; readonly pullRequest: KnownPullRequest | undefined }
  /** All is as it should be. */
  | { readonly kind: 'keep'; readonly wanted: WantedProposal; readonly pullRequest: KnownPullRequest }
  /** A person pushed to the branch, or it is not known what is wanted: nothing is done. */
  | {
      readonly kind: 'leave';
      readonly why: 'taken' | 'doubtful';
      readonly branch: string;
      readonly pullRequest: KnownPullRequest | undefined;
    }
  /** Nothing of it is wanted any more: the pull request is closed, then the branch is deleted, if its commit is given. */
  | {
      readonly kind: 'close';
      readonly branch: string;
      readonly commit: string | undefined;
      readonly pullRequest: KnownPullRequest;
    }
  | { readonly kind: 'delete'; readonly branch: string; readonly commit: string };

/**
 * What is to be done, wanted groups first; the same facts give the same steps, and once they are done none but `keep`. Of
 * several open pull requests of one branch, which two Tallymen can make at the same moment, the oldest stays.
 */
export function planProposals(facts: ProposalFacts): readonly ProposalStep[] {
  const branches = new Map(facts.branches.map((branch) => [branch.name, branch]));
  const newestFirst = facts.pullRequests.filter(({ state }) => state === 'open');
  const open = new Map(newestFirst.map((pullRequest) => [pullRequest.headBranch, pullRequest]));
  const twins = newestFirst.filter((pullRequest) => open.get(pullRequest.headBranch) !== pullRequest);
  const wanted = new Set(facts.wanted.map(({ branch }) => branch));
  const others = [...new Set([...branches.keys(), ...open.keys()])].filter((name) => !wanted.has(name)).sort();
  return [
    ...twins.map(closeTwin),
    ...facts.wanted.map((group) => planWanted(group, branches.get(group.branch), open.get(group.branch), facts)),
    ...others.flatMap((name) => planOther(name, branches.get(name), open.get(name), facts)),
  ];
}

function closeTwin(pullRequest: KnownPullRequest): ProposalStep {
  return { kind: 'close', branch: pullRequest.headBranch, commit: undefined, pullRequest };
}

function planWanted(
  wanted: WantedProposal,
  known: KnownBranch | undefined,
  pullRequest: KnownPullRequest | undefined,
  { isDoubtful }: ProposalFacts,
): ProposalStep {
  if (known === undefined) return { kind: 'push', wanted, expected: undefined, pullRequest };
  const { own } = known;
  const { branch } = wanted;
  if (own === undefined) return { kind: 'leave', why: 'taken', branch, pullRequest };
  const isMissed = own.policies.some((policy) => !wanted.policies.includes(policy) && isDoubtful(policy));
  if (isMissed) return { kind: 'leave', why: 'doubtful', branch, pullRequest };
  if (own.plan !== wanted.plan || own.files !== wanted.files)
    return { kind: 'push', wanted, expected: known.commit, pullRequest };
  const { body = '' } = pullRequest ?? {};
  // What was resumed and opened again by a person shall hold anew once it is closed.
  const isResumed = (readMarks(body)?.resumes ?? []).length > 0;
  const isShown = body.includes(wanted.plan) && !isResumed;
  return isShown && pullRequest !== undefined
    ? { kind: 'keep', wanted, pullRequest }
    : { kind: 'show', wanted, pullRequest };
}

function planOther(
  branch: string,
  known: KnownBranch | undefined,
  pullRequest: KnownPullRequest | undefined,
  { held, isDoubtful }: ProposalFacts,
): readonly ProposalStep[] {
  const own = known?.own;
  // Without a pull request, a branch that a person pushed to is theirs and nobody's concern.
  if (known !== undefined && own === undefined)
    return pullRequest === undefined ? [] : [{ kind: 'leave', why: 'taken', branch, pullRequest }];
  if (own?.policies.some(isDoubtful)) return [{ kind: 'leave', why: 'doubtful', branch, pullRequest }];
  if (pullRequest !== undefined) return [{ kind: 'close', branch, commit: known?.commit, pullRequest }];
  return known === undefined || held.has(branch) ? [] : [{ kind: 'delete', branch, commit: known.commit }];
}
