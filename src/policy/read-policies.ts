/** What people wrote in the Yaml repo, in any dialect, as policies. */
import { type Document, isMap, isNode, isSeq } from 'yaml';
import { groupBy } from '../collection/group-by.ts';
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
import { argocdDialect } from './dialects/argocd.ts';
import type { Dialect, PieceFindings, PolicyDocument, PolicyFindings } from './dialects/dialect.ts';
import { fluxDialect } from './dialects/flux.ts';
import { tallymanDialect } from './dialects/tallyman.ts';
import { isObjectName } from './object-name.ts';
import type { Policy } from './policy.ts';

type DialectName = 'tallyman' | 'flux' | 'argocd';

const dialects: Readonly<Record<DialectName, Dialect>> = {
  tallyman: erase(tallymanDialect),
  argocd: erase(argocdDialect),
  flux: erase(fluxDialect),
};

/** Whether a file's text may hold policies, or pieces of them, in any dialect. */
export function mayHoldPolicies(text: string): boolean {
  return names.some((name) => dialects[name].mayHold(text));
}

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
      .map((dialect) => {
        const { pieces, problems } = dialects[dialect].read({ document, file, path });
        const object = findName(document, dialects[dialect].namespace);
        return { dialect, pieces, problems: object ? problems.map((problem) => ({ object, ...problem })) : problems };
      }),
  );
  return {
    pieces: findings.flatMap(({ dialect, pieces }) => pieces.map((piece) => ({ dialect, piece }))),
    problems: [
      ...file.problems,
      ...findings.flatMap((finding) => finding.problems),
      ...file.documents.flatMap((document) => reportListed(document, { file, path })),
    ],
  };
}

/** Undefined where it has none that Kubernetes would take. */
function findName(document: Document.Parsed, defaultNamespace: string): ObjectName | undefined {
  const [apiVersion, kind] = [document.get('apiVersion'), document.get('kind')];
  const [namespace, name] = ['namespace', 'name'].map((key) => document.getIn(['metadata', key]));
  if (![apiVersion, kind, name].every((text) => typeof text === 'string')) return undefined;
  const object = { apiVersion, kind, namespace: namespace ?? defaultNamespace, name } as ObjectName;
  return isObjectName(object) ? object : undefined;
}

/** Policies are documents of their own: one that is an item of a `kind: List` is not read, and that is said. */
function reportListed(document: Document.Parsed, { file, path }: Omit<PolicyDocument, 'document'>): Problem[] {
  const items = document.get('items', true);
  if (!isSeq(items)) return [];
  const listed = items.items.filter(
    (item) => isMap(item) && names.some((name) => name !== 'argocd' && dialects[name].claims(item)),
  );
  return listed.map((item) => {
    const place = { file: path, ...file.placeOf(isNode(item) ? (item.range?.[0] ?? 0) : 0) };
    const remedy = 'Take the policy out of the List, into a document of its own.';
    return createProblem('PolicyInvalid', 'Cannot read a policy inside a List, a document of its own was wanted', {
      place,
      remedy,
    });
  });
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

/** The policies that the files of a repository make together, in all dialects; a file that cannot be read is a problem only if it may hold one. */
export function readRepoPolicies(files: ReadonlyMap<string, Uint8Array>): PolicyFindings {
  return resolvePolicies([...files].map(([path, bytes]) => learnPieces(bytes, path)));
}

function learnPieces(bytes: Uint8Array, path: string): PolicyPieces {
  if (!mayHoldPolicies(new TextDecoder('latin1').decode(bytes))) return { pieces: [], problems: [] };
  try {
    return readPolicyPieces(readYaml(decodeText(bytes, path), path), path);
  } catch (error) {
    return { pieces: [], problems: [toProblem(error, { place: { file: path } })] };
  }
}

function rejectDuplicates(policies: readonly Policy[]): PolicyFindings {
  const byKey = groupBy(policies, ({ key }) => key);
  const problems: Problem[] = [...byKey.values()]
    .filter((same) => same.length > 1)
    .flatMap((same) => same.map((policy) => describeDuplicate(policy, same)));
  return { policies: policies.filter((policy) => byKey.get(policy.key)?.length === 1), problems };
}

function describeDuplicate(policy: Policy, same: readonly Policy[]): Problem {
  const others = same.filter((other) => other !== policy).map((other) => `${other.source.file}:${other.source.line}`);
  const message = `Cannot use policy "${policy.key}": it stands in ${others.join(' and ')} too, one of each name was wanted`;
  return createProblem('PolicyDuplicate', message, { place: policy.source, policy: policy.key, object: policy.object });
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
