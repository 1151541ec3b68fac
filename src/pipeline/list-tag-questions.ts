/** What registries are asked for policies: the tags of each image repository once. */
import { groupBy } from '../collection/group-by.ts';
import { formatCanonical } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import { describeForbidden, needsPushTimes } from './policy-problems.ts';
import type { TagQuestion } from './poll-images.ts';

/** The questions of policies that are at work and whose hosts are allowed. */
export function listTagQuestions(
  policies: readonly Policy[],
  { allowedRegistries }: { readonly allowedRegistries: readonly string[] | undefined },
): readonly TagQuestion[] {
  const atWork = policies.filter(
    (policy) => !policy.suspend && describeForbidden(policy, allowedRegistries) === undefined,
  );
  return mergeQuestions(atWork.map((policy) => ({ repository: policy.repository, pushTimes: needsPushTimes(policy) })));
}

/** One question for each repository; push times are wanted as soon as one wants them. */
export function mergeQuestions(questions: readonly TagQuestion[]): readonly TagQuestion[] {
  const groups = groupBy(questions, ({ repository }) => formatCanonical(repository));
  return [...groups.values()].flatMap((same) =>
    same.slice(0, 1).map(({ repository }) => ({ repository, pushTimes: same.some(({ pushTimes }) => pushTimes) })),
  );
}
