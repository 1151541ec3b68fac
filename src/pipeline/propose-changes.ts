/** Pull-request mode: each group of policies gets a branch and a pull request, which later passes keep in step. */
import { createProblem, dedupeProblems, isError, type Problem, toProblem } from '../error/problem.ts';
import type { Policy } from '../policy/policy.ts';
import { formatBranchPrefix, nameBranch } from '../propose/branch-name.ts';
import type { ClosedVersion } from '../propose/hold-closed.ts';
import { type ProposalStep, planProposals, type WantedProposal } from '../propose/plan-proposals.ts';
import { identifyPlan } from './commit-message.ts';
import { chooseWithout, describeClosed, informContext } from './inform-context.ts';
import type { ImageLookup } from './look-up-images.ts';
import { findBranches } from './propose-facts.ts';
import { identifyBase } from './propose-mark.ts';
import { type Proposal, type StepContext, takeStep } from './propose-step.ts';
import { isProposed, nameGroup, type ProposingContext } from './proposing-context.ts';
import { openLookup, type PlannedPass, planPass } from './run-pass.ts';
import { addStopped, listStopped } from './stopped-updates.ts';

/** What became of the branches and pull requests in one pass. */
export interface ProposedChanges {
  readonly proposals: readonly Proposal[];
  readonly problems: readonly Problem[];
  /** When a version that waits for its age may be proposed, in milliseconds since 1970; undefined where none does. */
  readonly wakeMs: number | undefined;
}

const nothing: ProposedChanges = { proposals: [], problems: [], wakeMs: undefined };

interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * Plans every group of these policies anew and brings its branch and pull request in step: at most one request that
 * changes something for each of them, and none where all is as it should be. A group that fails is a problem, the others
 * go on; where it is stopped on the way, what was done before is told. Where no policy asks for pull requests and no branch
 * is left over, the forge is not asked.
 */
export async function proposeChanges(
  given: ProposingContext,
  policies: readonly Policy[],
  options: CallOptions,
): Promise<ProposedChanges> {
  const { proposing } = given;
  const own = policies.filter(isProposed);
  if (proposing === undefined) return own.length === 0 ? nothing : { ...nothing, problems: [describeHomeless(own)] };
  if (own.length === 0 && !proposing.memory.mayHaveBranches) return nothing;
  const { memory } = proposing;
  const base = await given.repo.fetch(options);
  const baseBranch = base.branch;
  // All groups are planned on one base.
  const context = { ...given, repo: { ...given.repo, fetch: async () => base } };
  const prefix = formatBranchPrefix(baseBranch);
  const lookup = openLookup(context, options);
  const whole = await planPass(context, lookup, { ...options, wants: isProposed });
  const groups = whole.groups.length === 0 ? [] : listGroups(own, whole);
  const branches = await findBranches(proposing, prefix, options);
  memory.mayHaveBranches = branches.length > 0;
  if (groups.length === 0 && branches.length === 0)
    return { proposals: [], problems: whole.problems, wakeMs: whole.wakeMs };
  const closedOf = groups.map((group) => nameBranch(baseBranch, group));
  const informed = await informContext(context, { proposing, baseBranch, branches, closedOf }, options);
  const { pullRequests, closed } = informed;
  const plans = await planGroups(informed.context, { lookup, groups, closed }, options);
  const wanted = plans.flatMap(({ wanted }) => wanted ?? []);
  const held = new Set(plans.filter(({ isHeld }) => isHeld).map(({ branch }) => branch));
  const problems = dedupeProblems([...whole.problems, ...plans.flatMap((plan) => plan.problems)]);
  const isDoubtful = findDoubts(problems);
  const steps = planProposals({ wanted, branches, pullRequests, held, isDoubtful });
  const done = await takeSteps({ ...context, proposing, baseBranch }, { steps, plans }, options);
  return {
    proposals: [...done.proposals, ...listHeld(plans, done.proposals)],
    problems: [...problems, ...done.problems],
    wakeMs: whole.wakeMs,
  };
}

/** Names of the groups that have something to change. */
function listGroups(policies: readonly Policy[], { updates }: PlannedPass): readonly string[] {
  const changing = new Set(updates.map(({ policy }) => policy));
  const names = policies.filter(({ key }) => changing.has(key)).map(nameGroup);
  return [...new Set(names)].sort();
}

interface GroupPlan {
  readonly branch: string;
  readonly planned: PlannedPass;
  /** Undefined where nothing is left to propose. */
  readonly wanted: WantedProposal | undefined;
  /** Whether persons closed something of it. */
  readonly isHeld: boolean;
  readonly problems: readonly Problem[];
}

interface Planning {
  readonly lookup: ImageLookup;
  readonly groups: readonly string[];
  readonly closed: readonly ClosedVersion[];
}

async function planGroups(
  context: ProposingContext,
  { lookup, groups, closed }: Planning,
  options: CallOptions,
): Promise<readonly GroupPlan[]> {
  const plans: GroupPlan[] = [];
  for (const group of groups) {
    const held = new Map<string, ClosedVersion>();
    const wants = (policy: Policy) => isProposed(policy) && nameGroup(policy) === group;
    const choose = chooseWithout(context, { lookup, closed, held, verdicts: false, signal: options.signal });
    const planned = await planPass(context, lookup, { ...options, wants, choose });
    const branch = nameBranch(planned.snapshot.branch, group);
    const wanted = planned.edits.length === 0 ? undefined : toWanted(planned, { group, branch });
    const problems = [...planned.problems, ...describeClosed(held)];
    plans.push({ branch, planned, wanted, isHeld: held.size > 0, problems });
  }
  return plans;
}

function toWanted(
  { edits, snapshot, changes, message = '' }: PlannedPass,
  about: { group: string; branch: string },
): WantedProposal {
  const policies = [...new Set(edits.map(({ update }) => update.policy))];
  const files = identifyBase(snapshot, { paths: new Set(changes.keys()), message });
  return { ...about, plan: identifyPlan(edits), files, policies };
}

/** Whether something went wrong that may hide what a policy wants; a fault of no one policy may hide any of them. */
function findDoubts(problems: readonly Problem[]): (policy: string) => boolean {
  const errors = problems.filter(isError);
  const isAny = errors.some(({ policy }) => policy === undefined);
  const keys = new Set(errors.map(({ policy }) => policy));
  return (policy) => isAny || keys.has(policy);
}

async function takeSteps(
  context: StepContext,
  { steps, plans }: { steps: readonly ProposalStep[]; plans: readonly GroupPlan[] },
  { signal }: CallOptions,
): Promise<Omit<ProposedChanges, 'wakeMs'>> {
  const proposals: Proposal[] = [];
  const problems: Problem[] = [];
  for (const step of steps) {
    const branch = findBranch(step);
    const planned = plans.find((plan) => plan.branch === branch)?.planned;
    try {
      const { problem, ...done } = await takeStep(context, step, { planned, signal });
      const updates = 'wanted' in step ? (planned?.updates ?? []) : [];
      proposals.push({ ...done, branch, updates });
      if (problem !== undefined) problems.push({ ...problem, ...(planned && { stops: listStopped(planned) }) });
    } catch (error) {
      if (proposals.length === 0) signal.throwIfAborted();
      if (signal.aborted) break;
      problems.push(toProblem(planned === undefined ? error : addStopped(error, planned)));
    }
  }
  return { proposals, problems };
}

function findBranch(step: ProposalStep): string {
  return 'wanted' in step ? step.wanted.branch : step.branch;
}

function listHeld(plans: readonly GroupPlan[], done: readonly Proposal[]): readonly Proposal[] {
  const told = new Set(done.map(({ branch }) => branch));
  return plans
    .filter(({ branch, isHeld }) => isHeld && !told.has(branch))
    .map(({ branch }) => ({ branch, state: 'held', url: undefined, updates: [] }));
}

function describeHomeless(policies: readonly Policy[]): Problem {
  const [first] = policies;
  const more = policies.length > 1 ? ` and ${policies.length - 1} more` : '';
  const found = 'no forge is known for the Yaml repo';
  const message = `Cannot open pull requests for policy "${first?.key}"${more}: ${found}, one was wanted`;
  return createProblem('ConfigInvalid', message, {
    remedy: 'Set `forge` of the Yaml repo under `repos` in the configuration.',
  });
}
