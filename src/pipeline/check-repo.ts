/** Validates policies and their targets; asks no registry and writes nothing. */
import { groupBy } from '../collection/group-by.ts';
import type { Problem } from '../error/problem.ts';
import { formatPlace } from '../target/target.ts';
import { describeForbidden } from './policy-problems.ts';
import type { YamlRepo } from './ports.ts';
import type { RepoMemory } from './repo-memory.ts';

/** What was found: `{ policies: [{ policy: 'shop/web', image: 'ghcr.io/acme/web', targets: ['web.yaml:12 spec.image'] }], problems: [] }` */
export interface CheckReport {
  readonly policies: readonly {
    readonly policy: string;
    readonly image: string;
    readonly targets: readonly string[];
  }[];
  readonly problems: readonly Problem[];
}

/** The report on one Yaml repo, as it is now. */
export async function checkRepo(
  repo: Pick<YamlRepo, 'fetch' | 'readBlobs'>,
  memory: RepoMemory,
  options: { signal: AbortSignal; allowedRegistries: readonly string[] | undefined },
): Promise<CheckReport> {
  const contents = await memory.read(repo, await repo.fetch(options), options);
  const byPolicy = groupBy(contents.targets, ({ policy }) => policy.key);
  return {
    policies: contents.policies.map(({ key, image }) => ({
      policy: key,
      image,
      targets: (byPolicy.get(key) ?? []).map(formatPlace),
    })),
    problems: [
      ...contents.problems,
      ...contents.policies.flatMap((policy) => describeForbidden(policy, options.allowedRegistries) ?? []),
    ],
  };
}
