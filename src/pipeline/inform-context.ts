/** Adds to Git's history what only the forge knows: what silent squashes wrote, and what persons closed. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { Policy } from '../policy/policy.ts';
import { formatBranchPrefix } from '../propose/branch-name.ts';
import { type ClosedVersion, findHolding, holdClosed } from '../propose/hold-closed.ts';
import type { KnownBranch } from '../propose/plan-proposals.ts';
import type { HoldMemory } from './find-holds.ts';
import type { ImageLookup } from './look-up-images.ts';
import type { PullRequest } from './ports.ts';
import { findBranches, findClosedVersions, findHoldMemory, type Proposing, tellMerged } from './propose-facts.ts';
import { isProposed, nameProposal, type ProposingContext } from './proposing-context.ts';
import { type ChooseVersions, type PlannedPass, type PlanOptions, planPass, toSelecting } from './run-pass.ts';
import { selectImages } from './select-images.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** What the forge told. */
export interface Informed {
  /** Its memory of holds knows what squashes of pull requests wrote. */
  readonly context: ProposingContext;
  /** Newest first. */
  readonly pullRequests: readonly PullRequest[];
  /** Newest first. */
  readonly closed: readonly ClosedVersion[];
}

interface Question {
  readonly proposing: Proposing;
  readonly baseBranch: string;
  readonly branches: readonly KnownBranch[];
  /** Branches of which pull requests that are over matter. */
  readonly closedOf: readonly string[];
}

/** The context with what the forge knows of policies that ask for pull requests; of others Git's history alone counts. */
export async function informContext(
  context: ProposingContext,
  { proposing, baseBranch, branches, closedOf }: Question,
  options: CallOptions,
): Promise<Informed> {
  const question = { baseBranch, prefix: formatBranchPrefix(baseBranch), closedOf };
  const pullRequests = await proposing.forge.listPullRequests(question, options);
  const closed = await findClosedVersions(proposing, { pullRequests, branches }, options);
  return { context: { ...context, holds: informHolds(context.holds, proposing, pullRequests) }, pullRequests, closed };
}

function informHolds(plain: HoldMemory, proposing: Proposing, pullRequests: readonly PullRequest[]): HoldMemory {
  const told = findHoldMemory(proposing, pullRequests);
  return {
    async find(repo, question, options) {
      const own = question.policies.filter(isProposed);
      const others = question.policies.filter((policy) => !isProposed(policy));
      const found = [
        ...(others.length === 0 ? [] : [await plain.find(repo, { ...question, policies: others }, options)]),
        ...(own.length === 0
          ? []
          : [await told.find(tellMerged(repo, proposing, pullRequests), { ...question, policies: own }, options)]),
      ];
      return {
        holds: new Map(found.flatMap(({ holds }) => [...holds])),
        written: found.flatMap(({ written }) => written),
      };
    },
  };
}

/** The same for a command about these policies; undefined where no forge has to be asked for them. */
export async function informFor(
  context: ProposingContext,
  { policies, baseBranch }: { policies: readonly Policy[]; baseBranch: string },
  options: CallOptions,
): Promise<Informed | undefined> {
  const { proposing } = context;
  const own = policies.filter(isProposed);
  if (proposing === undefined || own.length === 0) return undefined;
  const branches = await findBranches(proposing, formatBranchPrefix(baseBranch), options);
  const closedOf = [...new Set(own.map((policy) => nameProposal(policy, baseBranch)))];
  return await informContext(context, { proposing, baseBranch, branches, closedOf }, options);
}

/** What a pass would do, in both modes; nothing is written. Where the forge fails, that is a problem, and Git's history alone counts. */
export async function planInformed(
  context: ProposingContext,
  lookup: ImageLookup,
  options: PlanOptions,
): Promise<PlannedPass> {
  const { signal, wants = () => true, explain = false } = options;
  const base = await context.repo.fetch({ signal });
  const policies = (await context.memory.read(context.repo, base, { signal })).policies.filter(wants);
  const told = await informFor(context, { policies, baseBranch: base.branch }, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    const [only, ...more] = policies;
    return toProblem(error, more.length === 0 && only !== undefined ? { policy: only.key } : {});
  });
  if (told === undefined) return await planPass(context, lookup, options);
  if (!('closed' in told)) {
    const planned = await planPass(context, lookup, options);
    return { ...planned, problems: [...planned.problems, told] };
  }
  const held = new Map<string, ClosedVersion>();
  const choose = chooseWithout(context, { lookup, closed: told.closed, held, verdicts: explain, signal });
  const planned = await planPass(told.context, lookup, { ...options, choose });
  return { ...planned, problems: [...planned.problems, ...describeClosed(held)] };
}

interface Choosing {
  readonly lookup: ImageLookup;
  readonly closed: readonly ClosedVersion[];
  /** Gets what held, by policy. */
  readonly held: Map<string, ClosedVersion>;
  /** Also why each tag was not chosen. */
  readonly verdicts: boolean;
  readonly signal: AbortSignal;
}

/** The policies' own choice, without what persons closed. */
export function chooseWithout(
  context: ProposingContext,
  { lookup, closed, held, verdicts, signal }: Choosing,
): ChooseVersions {
  return async (targets, holds) => {
    const selected = await selectImages(targets, { ...toSelecting(context, { signal }), lookup, verdicts, holds });
    const policies = new Map(targets.map(({ policy }) => [policy.key, policy]));
    const selections = selected.selections.map((selection) => {
      const policy = policies.get(selection.policy);
      const by = policy !== undefined && isProposed(policy) ? findHolding(policy, selection, closed) : undefined;
      if (by === undefined) return selection;
      held.set(selection.policy, by);
      return holdClosed(selection, by);
    });
    return { ...selected, selections };
  };
}

/** One problem for each policy of which a person closed what it wants. */
export function describeClosed(held: ReadonlyMap<string, ClosedVersion>): readonly Problem[] {
  return [...held].map(([policy, { version, url }]) => {
    const found = `a person closed the pull request of version "${version}" without a merge (${url})`;
    return createProblem('ImageHeld', `Cannot update policy "${policy}": ${found}, a newer version was wanted`, {
      policy,
      remedy: `Wait for a newer version, open the pull request again, or run \`tallyman resume ${policy}\`.`,
    });
  });
}
