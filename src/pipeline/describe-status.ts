/** How each policy stands after a pass, as its object in a cluster shows it. */
import { groupBy } from '../collection/group-by.ts';
import { catalogue } from '../error/catalogue.ts';
import { isError, type Problem } from '../error/problem.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { PolicyCondition, PolicyStanding } from './cluster-ports.ts';
import type { WholeReport } from './commit-and-propose.ts';

type Report = Pick<WholeReport, 'policies' | 'selections' | 'commits' | 'proposals' | 'problems' | 'snapshot'>;

/** One for each policy that can be used, and for each object that is none for what is wrong with it. */
export function describeStatus(report: Report): readonly PolicyStanding[] {
  const selections = groupBy(report.selections, ({ policy }) => policy);
  const problems = groupBy(report.problems, ({ policy }) => policy);
  const usable = report.policies.map((policy) =>
    describePolicy(policy, report, {
      selections: selections.get(policy.key) ?? [],
      problems: problems.get(policy.key) ?? [],
    }),
  );
  return [...usable, ...listUnusable(report)];
}

function listUnusable({ policies, problems }: Report): readonly PolicyStanding[] {
  const usable = new Set(policies.map(({ object }) => identify(object)));
  const failures = new Map<string, PolicyStanding>();
  for (const failure of problems) {
    const { object } = failure;
    if (object === undefined || !isError(failure) || usable.has(identify(object))) continue;
    if (!failures.has(identify(object))) failures.set(identify(object), describeUnusable(object, failure));
  }
  return [...failures.values()];
}

function identify({ apiVersion, kind, namespace, name }: ObjectName): string {
  return JSON.stringify([apiVersion, kind, namespace, name]);
}

function describeUnusable(object: ObjectName, failure: Problem): PolicyStanding {
  return {
    object,
    state: 'Failed',
    current: undefined,
    latest: undefined,
    reason: failure.message,
    lastCommit: undefined,
    hold: undefined,
    nextLookMs: undefined,
    conditions: describeFailure(failure),
  };
}

interface Found {
  readonly selections: readonly Selection[];
  readonly problems: readonly Problem[];
}

function describePolicy(policy: Policy, report: Report, { selections, problems }: Found): PolicyStanding {
  const made = findCommit(policy, report);
  const failure = problems.find(isError);
  const held = problems.find(({ code }) => code === 'ImageHeld');
  const decisive = selections.find(({ kind }) => kind !== 'current') ?? selections[0];
  const state = findState(policy, { report, failure, held, isWritten: made !== undefined, decisive });
  const current = [...new Set(selections.flatMap(({ current: found }) => found ?? []))].sort().join(', ');
  const wakeMs = selections.flatMap((selection) => selection.wakeMs ?? []);
  return {
    object: policy.object,
    state,
    current: made === undefined ? current || undefined : made.version,
    latest: decisive?.waits ?? decisive?.tag,
    reason: decisive?.reason,
    lastCommit: made,
    hold: held && { reason: held.message, remedy: held.remedy },
    nextLookMs: wakeMs.length === 0 ? undefined : Math.min(...wakeMs),
    conditions: describeConditions(state, { failure, held, decisive }),
  };
}

/** The last commit of the pass that writes the policy's version. */
function findCommit(
  { key }: Policy,
  { commits, snapshot }: Report,
): { readonly revision: string; readonly version: string } | undefined {
  for (const { commit, updates } of commits.toReversed()) {
    const update = updates.findLast(({ policy }) => policy === key);
    if (update !== undefined) return { revision: `${snapshot.branch}@sha1:${commit}`, version: update.to };
  }
  return undefined;
}

interface Standing {
  readonly report: Report;
  readonly failure: Problem | undefined;
  readonly held: Problem | undefined;
  readonly isWritten: boolean;
  readonly decisive: Selection | undefined;
}

const proposedStates: readonly string[] = ['opened', 'updated', 'waiting'];

function findState(policy: Policy, standing: Standing): PolicyStanding['state'] {
  const { report, failure, held, isWritten, decisive } = standing;
  if (policy.suspend) return 'Suspended';
  if (failure !== undefined) return 'Failed';
  if (isWritten) return 'Updated';
  const isProposed = report.proposals.some(
    ({ state, updates }) => proposedStates.includes(state) && updates.some((update) => update.policy === policy.key),
  );
  if (isProposed) return 'Proposed';
  if (held !== undefined || decisive?.kind === 'held') return 'Held';
  if (decisive?.kind === 'waiting') return 'Waiting';
  return 'Current';
}

/** As kstatus reads them: what waits for a time or a person has been done as it was asked, and is ready. */
function describeConditions(
  state: PolicyStanding['state'],
  { failure, held, decisive }: Pick<Standing, 'failure' | 'held' | 'decisive'>,
): readonly PolicyCondition[] {
  if (failure !== undefined && state === 'Failed') return describeFailure(failure);
  if (decisive?.kind === 'none' && state === 'Current')
    return [{ type: 'Ready', status: 'False', reason: 'NoCandidate', message: decisive.reason }];
  const message = held?.message ?? decisive?.reason ?? stateTexts[state];
  return [{ type: 'Ready', status: 'True', reason: state, message }];
}

function describeFailure({ code: reason, message: found, remedy }: Problem): readonly PolicyCondition[] {
  const message = `${found}. ${remedy}`;
  const isStalled = catalogue[reason].disposition === 'stalled';
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: isStalled ? 'Stalled' : 'Reconciling', status: 'True', reason, message },
  ];
}

const stateTexts: Readonly<Record<PolicyStanding['state'], string>> = {
  Current: 'nothing newer is there',
  Updated: 'the version was committed',
  Proposed: 'the version is proposed in a pull request',
  Waiting: 'a newer version waits',
  Held: 'a person keeps a newer version away',
  Suspended: 'the policy is suspended',
  Failed: 'the policy cannot be decided',
};
