/** What people wrote in the Yaml repo, in any dialect, as policies. */
import { createProblem, type Problem } from '../error/problem.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
import { argocdDialect } from './dialects/argocd.ts';
import type { Dialect, PieceFindings, PolicyFindings } from './dialects/dialect.ts';
import { fluxDialect } from './dialects/flux.ts';
import { tallymanDialect } from './dialects/tallyman.ts';
import type { Policy } from './policy.ts';

type DialectName = 'tallyman' | 'flux' | 'argocd';

const dialects: Readonly<Record<DialectName, Dialect>> = {
  tallyman: erase(tallymanDialect),
  argocd: erase(argocdDialect),
  flux: erase(fluxDialect),
};

/** Byte strings of which every policy file holds at least one. */
export const policyNeedles: readonly string[] = Object.values(dialects).flatMap((dialect) => dialect.needles);

/** What one file adds to the policies of a repository. */
export interface PolicyPieces {
  readonly pieces: readonly { readonly dialect: DialectName; readonly piece: unknown }[];
  readonly problems: readonly Problem[];
}

/** The pieces in one file. A bad document makes problems at its line and column; the others still count. */
export function readPolicyPieces(file: YamlFile, path: string): PolicyPieces {
  const findings = file.documents.flatMap((document) =>
    names
      .filter((name) => dialects[name].claims(document))
      .map((dialect) => ({ dialect, ...dialects[dialect].read({ document, file, path }) })),
  );
  return {
    pieces: findings.flatMap(({ dialect, pieces }) => pieces.map((piece) => ({ dialect, piece }))),
    problems: [...file.problems, ...findings.flatMap((finding) => finding.problems)],
  };
}

/** The policies that all files of a repository make together; of those that share one name none is used, and each is reported. */
export function resolvePolicies(files: readonly PolicyPieces[]): PolicyFindings {
  const pieces = files.flatMap((file) => file.pieces);
  const resolved = names.map((name) =>
    dialects[name].resolve(pieces.filter(({ dialect }) => dialect === name).map(({ piece }) => piece)),
  );
  const unique = rejectDuplicates(resolved.flatMap(({ policies }) => policies));
  const problems = [...files, ...resolved, unique].flatMap((found) => found.problems);
  return { policies: unique.policies, problems };
}

/**
 * The policies in one file's text.
 *
 * @example
 * readPolicies('kind: Deployment', 'web.yaml') // { policies: [], problems: [] }
 */
export function readPolicies(text: string, path: string): PolicyFindings {
  return resolvePolicies([readPolicyPieces(readYaml(text, path), path)]);
}

function rejectDuplicates(policies: readonly Policy[]): PolicyFindings {
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

/** Pieces go back only to the dialect that made them. */
function erase<Piece>(dialect: Dialect<Piece>): Dialect {
  return {
    ...dialect,
    read: (document): PieceFindings<unknown> => dialect.read(document),
    resolve: (pieces) => dialect.resolve(pieces as readonly Piece[]),
  };
}

const names: readonly DialectName[] = ['tallyman', 'flux', 'argocd'];
