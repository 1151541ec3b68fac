/** Does what was decided about one branch and its pull request. */
import type { Update } from '../edit/plan.ts';
import { createProblem, type Problem } from '../error/problem.ts';
import type { KnownPullRequest, ProposalStep } from '../propose/plan-proposals.ts';
import { formatPullRequest, markOver } from '../propose/pull-request-text.ts';
import type { Clock, CommitAuthor } from './ports.ts';
import type { Proposing } from './propose-facts.ts';
import { sealMessage } from './propose-mark.ts';
import type { PlannedPass } from './run-pass.ts';

/**
 * What became of a group's branch. `waiting`: as it was, for a person to merge. `held`: nothing but what persons closed.
 * `taken`: a person pushed to it. `doubtful`: not known in this pass what is wanted. `raced`: another Tallyman was first.
 */
export type ProposalState =
  | 'opened'
  | 'updated'
  | 'waiting'
  | 'held'
  | 'taken'
  | 'doubtful'
  | 'raced'
  | 'closed'
  | 'deleted';

/** One branch in a report. `{ branch: 'tallyman/main/shop', state: 'opened', url: 'https://…/pull/7', updates: […] }` */
export interface Proposal {
  readonly branch: string;
  readonly state: ProposalState;
  /** Of the pull request; undefined where there is none. */
  readonly url: string | undefined;
  /** What it proposes now. */
  readonly updates: readonly Update[];
}

export interface StepContext {
  readonly clock: Clock;
  readonly author: CommitAuthor;
  readonly proposing: Proposing;
  /** Short name of the watched branch, which pull requests go into. */
  readonly baseBranch: string;
}

type Done = Omit<Proposal, 'branch' | 'updates'> & { readonly problem?: Problem };

/** `planned` is the group's plan where the step has one. The push comes first: a pull request never promises what is not there. */
export async function takeStep(
  context: StepContext,
  step: ProposalStep,
  { planned, signal }: { planned: PlannedPass | undefined; signal: AbortSignal },
): Promise<Done> {
  const { branches } = context.proposing;
  switch (step.kind) {
    case 'push': {
      const isPushed = planned !== undefined && (await push(context, step, { planned, signal }));
      if (!isPushed) return { state: 'raced', url: step.pullRequest?.url };
      return await show(context, step, { planned, signal });
    }
    case 'show':
      return planned === undefined ? { state: 'raced', url: undefined } : show(context, step, { planned, signal });
    case 'keep':
      return { state: 'waiting', url: step.pullRequest.url };
    case 'leave': {
      const { pullRequest, branch, why } = step;
      return {
        state: why,
        url: pullRequest?.url,
        ...(why === 'taken' && { problem: describeTaken(branch, pullRequest) }),
      };
    }
    case 'close':
      await close(context, step.pullRequest, signal);
      if (step.commit !== undefined)
        await branches.deleteBranch({ branch: step.branch, expected: step.commit }, { signal });
      return { state: 'closed', url: step.pullRequest.url };
    case 'delete':
      await branches.deleteBranch({ branch: step.branch, expected: step.commit }, { signal });
      return { state: 'deleted', url: undefined };
  }
}

interface Showing {
  readonly planned: PlannedPass;
  readonly signal: AbortSignal;
}

async function push(
  { clock, author, proposing }: StepContext,
  { wanted, expected }: Extract<ProposalStep, { kind: 'push' }>,
  { planned, signal }: Showing,
): Promise<boolean> {
  const { snapshot: base, changes, message = '' } = planned;
  // Git keeps seconds.
  const whenMs = Math.floor(clock.wallMs() / 1000) * 1000;
  const seal = (tree: string): string => sealMessage({ message, parent: base.commit, tree, whenMs }, wanted.files);
  const commit = { base, changes, message, seal, author, whenMs };
  const outcome = await proposing.branches.pushBranch({ branch: wanted.branch, expected, commit }, { signal });
  return outcome.kind === 'pushed';
}

/** Opens the pull request, or lets the open one say what the branch holds now. */
async function show(
  { proposing: { forge }, baseBranch }: StepContext,
  { wanted, pullRequest }: Extract<ProposalStep, { kind: 'push' | 'show' }>,
  { planned, signal }: Showing,
): Promise<Done> {
  const text = describe(planned);
  if (pullRequest !== undefined) {
    await forge.updatePullRequest(pullRequest.number, text, { signal });
    return { state: 'updated', url: pullRequest.url };
  }
  const outcome = await forge.openPullRequest({ ...text, headBranch: wanted.branch, baseBranch }, { signal });
  return outcome.kind === 'opened'
    ? { state: 'opened', url: outcome.pullRequest.url }
    : { state: 'raced', url: undefined };
}

function describe({ message = '', edits, updates }: PlannedPass): { title: string; body: string } {
  const changes = updates.map(({ policy, from, to }) => {
    const own = edits.filter(({ update }) => update.policy === policy && update.from === from && update.to === to);
    return { policy, from, to, files: [...new Set(own.map(({ file }) => file))] };
  });
  return formatPullRequest(message, changes);
}

/** The body says first that it was us: what is closed without that holds its versions. */
async function close({ proposing: { forge } }: StepContext, pullRequest: KnownPullRequest, signal: AbortSignal) {
  const { number, title, body } = pullRequest;
  await forge.updatePullRequest(number, { title, body: markOver(body) }, { signal });
  const comment = 'Closed: nothing of this is to be changed any more.';
  await forge.closePullRequest(number, { comment, signal });
}

function describeTaken(branch: string, pullRequest: KnownPullRequest | undefined): Problem {
  const where = pullRequest === undefined ? '' : ` (${pullRequest.url})`;
  return createProblem(
    'BranchTaken',
    `Cannot update branch "${branch}"${where}: its commit is not as Tallyman made it, an untouched one was wanted`,
  );
}
