/** What people wrote in the Yaml repo, in any dialect, as policies. */
import { createProblem, type Problem } from '../error/problem.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import type { Dialect, PolicyFindings } from './dialects/dialect.ts';
import { tallymanDialect } from './dialects/tallyman.ts';
import type { Policy } from './policy.ts';

const dialects: Readonly<Record<'tallyman', Dialect>> = { tallyman: tallymanDialect };

/** Byte strings of which every policy file holds at least one. */
export const policyNeedles: readonly string[] = Object.values(dialects).map((dialect) => dialect.needle);

/** The policies of one file. A bad document makes problems at its line and column; the others still count. */
export function readPolicies(text: string, path: string): PolicyFindings {
  const file = readYaml(text, path);
  const findings = file.documents.flatMap((document) => {
    const dialect = Object.values(dialects).find((row) => row.claims(document));
    return dialect === undefined ? [] : dialect.read(document, file, path);
  });
  return {
    policies: findings.flatMap((finding) => finding.policies),
    problems: [...file.problems, ...findings.flatMap((finding) => finding.problems)],
  };
}

/** The policies whose key is theirs alone; of those that share one, none is used and each is reported. */
export function rejectDuplicates(policies: readonly Policy[]): PolicyFindings {
  const byKey = new Map<string, Policy[]>();
  for (const policy of policies) byKey.set(policy.key, [...(byKey.get(policy.key) ?? []), policy]);
  const problems: Problem[] = [...byKey.values()]
    .filter((same) => same.length > 1)
    .flatMap((same) => same.map((policy) => describeDuplicate(policy, same)));
  return { policies: policies.filter((policy) => byKey.get(policy.key)?.length === 1), problems };
}

function describeDuplicate(policy: Policy, same: readonly Policy[]): Problem {
  const others = same.filter((other) => other !== policy).map((other) => `${other.source.file}:${other.source.line}`);
  const message = `Cannot use policy "${policy.key}": it stands in ${others.join(' and ')} too, one of each name was wanted`;
  return createProblem('PolicyDuplicate', message, { place: policy.source, policy: policy.key });
}
