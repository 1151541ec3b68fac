/** What keeps a policy from being decided, or from being decided by what is there now. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import { describeAsked, describeEnd, type HeldVersion, type Hold } from '../hold/hold.ts';
import type { Policy } from '../policy/policy.ts';
import type { Staleness } from './answer.ts';

/** Tags of which one policy asks the manifest in one pass, best first, until one offers its platforms. */
export const maxTagsAsked = 20;

/** Whether the policy can be decided only where it is known since when each tag is there. */
export function needsPushTimes({ minimumAgeMs, select }: Policy): boolean {
  return minimumAgeMs > 0 || select.kind === 'newest';
}

/** The problem of a policy whose host the configuration does not allow. */
export function describeForbidden(
  policy: Policy,
  allowedRegistries: readonly string[] | undefined,
): Problem | undefined {
  if (allowedRegistries?.includes(policy.repository.host) !== false) return undefined;
  const message = `Cannot use image "${policy.image}": registry "${policy.repository.host}" is not allowed here, one of allowedRegistries was wanted`;
  return createProblem('PolicyInvalid', message, { place: policy.source, policy: policy.key });
}

/** The problem of a policy none of whose best tags has the platforms. */
export function describeEndless(policy: Policy): Problem {
  const wanted = policy.platforms.length === 0 ? 'could be chosen' : `offers ${policy.platforms.join(' and ')}`;
  const message = `Cannot judge policy "${policy.key}": none of its ${maxTagsAsked} best tags ${wanted}, one that does was wanted`;
  const remedy = 'Narrow spec.select to tags that have these platforms, or correct spec.platforms.';
  return createProblem('PolicyInvalid', message, { place: policy.source, policy: policy.key, remedy });
}

/** The failure as a problem of the policy. */
export function toPolicyProblem(policy: Policy, error: unknown): Problem {
  return toProblem(error, { place: policy.source, policy: policy.key });
}

/** The failure that left the policy with what was known before. */
export function describeStale(policy: Policy, { error, sinceMs }: Staleness): Problem {
  const problem = toPolicyProblem(policy, error);
  return { ...problem, message: `${problem.message}; meanwhile its tags of ${new Date(sinceMs).toISOString()} count` };
}

/** The failure that left the policy with the push times that were known before, if any. */
export function describeTimesFault(policy: Policy, error: unknown): Problem {
  const problem = toPolicyProblem(policy, error);
  return { ...problem, message: `${problem.message}; meanwhile tags wait whose time is not known` };
}

/** What keeps a policy with a newer version from writing it: a person, or a history that does not say. At the place that lost the version, if one is known. */
export function describeHeld(policy: Policy, hold: Hold): Problem {
  const { key } = policy;
  if (hold.endsAt !== undefined) {
    const message = `Cannot update policy "${key}": ${describeEnd(hold.endsAt)}, one that goes further back was wanted`;
    return createProblem('HistoryShallow', message, { place: policy.source, policy: key });
  }
  const last = hold.versions.findLast(({ lost }) => lost !== undefined) ?? hold.versions.at(-1);
  const place = last?.lost && { file: last.lost.file, ...(last.lost.line !== undefined && { line: last.lost.line }) };
  const message =
    hold.asked !== undefined
      ? `Cannot update policy "${key}": it is ${describeAsked(hold.asked)} (commit ${hold.asked.commit.slice(0, 7)})`
      : `Cannot update policy "${key}": a person took version "${last?.version}" away ${describeLoss(last)}, a newer version was wanted`;
  const wait = hold.asked === undefined ? 'Wait for a newer version, or run' : 'Run';
  const remedy = `${wait} \`tallyman resume ${key}\` to let it be written again.`;
  return createProblem('ImageHeld', message, { place: place ?? policy.source, policy: key, remedy });
}

function describeLoss(held: HeldVersion | undefined): string {
  const commit = `commit ${held?.commit.slice(0, 7)}`;
  return held?.lost === undefined ? `before ${commit}` : `from ${held.lost.place} after ${commit}`;
}
