import type { Problem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Policy } from '../policy/policy.ts';

/** The policy of that key; throws what is wrong with it, or `PolicyInvalid` where the Yaml repo has none. `verb`: what it was wanted for. */
export function findPolicy(
  key: string,
  { policies, problems }: { policies: readonly Policy[]; problems: readonly Problem[] },
  verb: string,
): Policy {
  const policy = policies.find((candidate) => candidate.key === key);
  if (policy !== undefined) return policy;
  const broken = problems.find((problem) => problem.policy === key);
  if (broken !== undefined)
    throw new TallymanError(broken.code, broken.message, { place: broken.place, policy: key, remedy: broken.remedy });
  const known = policies.map((candidate) => candidate.key).slice(0, 20);
  const found = known.length === 0 ? 'the Yaml repo has no usable policy' : `the Yaml repo has ${known.join(', ')}`;
  throw new TallymanError('PolicyInvalid', `Cannot ${verb} policy "${key}": ${found}, one of its policies was wanted`, {
    remedy: 'Name a policy as NAMESPACE/NAME; `tallyman check` lists what is wrong with the others.',
  });
}
