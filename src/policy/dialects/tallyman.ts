/** The native dialect: `ImagePolicy` documents of tallyman.dev. */
import { type Document, isScalar } from 'yaml';
import { type Problem, toProblem } from '../../error/problem.ts';
import type { Place } from '../../error/tallyman-error.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import { type ImageReference, isTag, parseImageReference } from '../../image/reference.ts';
import { parseCalverLayout } from '../../version/calver-layout.ts';
import { parseNpmRange } from '../../version/npm-range.ts';
import { parsePath } from '../../yaml/parse-path.ts';
import { parseDuration } from '../duration.ts';
import { resolveGlob } from '../glob.ts';
import { parsePattern } from '../pattern.ts';
import type { Extract, Policy, SelectRule } from '../policy.ts';
import { type ImagePolicyDocument, imagePolicySchema } from '../schema.ts';
import { findNode, toSchemaProblems } from '../schema-problems.ts';
import type { Dialect, PieceFindings, PolicyDocument } from './dialect.ts';

const needle = 'tallyman.dev/';

export const tallymanDialect: Dialect<Policy> = {
  namespace: 'default',
  mayHold: (text) => text.includes(needle),
  claims(document) {
    const apiVersion = document.get('apiVersion');
    return typeof apiVersion === 'string' && apiVersion.startsWith(needle);
  },
  read: readImagePolicy,
  resolve: (policies) => ({ policies, problems: [] }),
};

function readImagePolicy({ document, file, path }: PolicyDocument): PieceFindings<Policy> {
  const start = document.contents?.range?.[0] ?? document.range[0];
  const source: Place = { file: path, ...file.placeOf(start) };
  const policy = nameOf(document);
  const value = toValue(document, source);
  if (value instanceof TallymanError) return { pieces: [], problems: [toProblem(value, { place: source })] };
  const parsed = imagePolicySchema.safeParse(value);
  if (!parsed.success) {
    const context = { code: 'PolicyInvalid', file: path, document, placeOf: file.placeOf, policy } as const;
    return { pieces: [], problems: toSchemaProblems(parsed.error.issues, context) };
  }
  const placeOf = (field: readonly PropertyKey[]): Place => {
    const offset = findNode(document, field)?.range?.[0] ?? start;
    return { file: path, ...file.placeOf(offset) };
  };
  return toPolicy(parsed.data, source, placeOf);
}

/** The document as plain values; an error for one that its aliases would blow up. */
function toValue(document: Document.Parsed, place: Place): unknown {
  try {
    return document.toJS({ maxAliasCount: 10 });
  } catch (cause) {
    return new TallymanError(
      'PolicyInvalid',
      'Cannot read the policy: its aliases expand too far, plain values were wanted',
      { place, cause },
    );
  }
}

/** Checks what the schema cannot say, field by field, so that all faults are told at once. */
function toPolicy(
  { apiVersion, kind, metadata, spec }: ImagePolicyDocument,
  source: Place,
  placeOf: (field: readonly PropertyKey[]) => Place,
): PieceFindings<Policy> {
  const { select } = spec;
  const key = `${metadata.namespace}/${metadata.name}`;
  const problems: Problem[] = [];
  const attempt: Attempt = (field, read) => {
    try {
      return read();
    } catch (error) {
      problems.push(toProblem(withCode(error), { place: placeOf(['spec', ...field]), policy: key }));
      return undefined;
    }
  };
  const reference = attempt(['image'], () => parseRepository(spec.image));
  const rule = readRule(select, attempt);
  for (const list of ['include', 'exclude'] as const) {
    for (const [index, pattern] of select[list].entries())
      attempt(['select', list, index], () => parsePattern(pattern));
  }
  const extract =
    select.extract === undefined ? undefined : attempt(['select', 'extract'], () => parseExtract(select.extract ?? ''));
  const minimumAgeMs = attempt(['minimumAge'], () => parseAge(spec.minimumAge ?? '0'));
  const folder = source.file.split('/').slice(0, -1).join('/');
  const globs = (spec.write.paths ?? ['./**']).flatMap(
    (glob, index) => attempt(['write', 'paths', index], () => parseGlob(folder, glob)) ?? [],
  );
  const targets = spec.write.targets.flatMap(
    ({ file, path, part }, index) =>
      attempt(['write', 'targets', index], () => ({
        file: parseGlob(folder, file),
        path: checkPath(path),
        part,
        source: placeOf(['spec', 'write', 'targets', index]),
      })) ?? [],
  );
  if (reference === undefined || rule === undefined || problems.length > 0) return { pieces: [], problems };
  const policy: Policy = {
    key,
    namespace: metadata.namespace,
    name: metadata.name,
    object: { apiVersion, kind, namespace: metadata.namespace, name: metadata.name },
    image: spec.image,
    repository: { host: reference.host, path: reference.path },
    select: rule,
    include: select.include,
    exclude: select.exclude,
    extract,
    skip: select.skip,
    allowDowngrade: select.allowDowngrade,
    minimumAgeMs: minimumAgeMs ?? 0,
    ...(spec.mutation === 'block' && { mutation: spec.mutation }),
    platforms: spec.platforms,
    ties: 'shortest',
    pin: spec.pin,
    paths: { globs, explicit: spec.write.paths !== undefined },
    targets,
    markersOnly: false,
    suspend: spec.suspend,
    ...(spec.write.mode !== 'commit' && { mode: spec.write.mode }),
    ...(spec.write.group !== undefined && { group: spec.write.group }),
    ...(spec.write.windows !== undefined && { windows: spec.write.windows }),
    source,
  };
  return { pieces: [policy], problems: [] };
}

type Attempt = <T>(field: readonly PropertyKey[], read: () => T) => T | undefined;

/** The rule of the one kind that the schema let through; undefined where its range or layout cannot be used. */
function readRule(select: ImagePolicyDocument['spec']['select'], attempt: Attempt): SelectRule | undefined {
  const { semver, calver, numerical, alphabetical, digest, prereleases, coerce } = select;
  if (semver !== undefined) {
    const parsed = attempt(['select', 'semver'], () => parseNpmRange(semver, prereleases));
    return parsed && { kind: 'semver', range: semver, prereleases, coerce, grammar: 'npm' };
  }
  if (calver !== undefined) {
    const parsed = attempt(['select', 'calver'], () => parseCalverLayout(calver));
    return parsed && { kind: 'calver', layout: calver };
  }
  if (numerical !== undefined) return { kind: 'numerical', order: numerical };
  if (alphabetical !== undefined) return { kind: 'alphabetical', order: alphabetical };
  if (digest !== undefined) return attempt(['select', 'digest'], () => parseFollowedTag(digest));
  return { kind: 'newest' };
}

function parseFollowedTag(tag: string): SelectRule {
  if (isTag(tag)) return { kind: 'digest', tag };
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot follow tag ${JSON.stringify(tag)}: it is no tag, one such as "main" was wanted`,
  );
}

function parseAge(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use age ${JSON.stringify(text)}: it is no length of time, one such as "24h" or "7d" was wanted`,
  );
}

function checkPath(path: string): string {
  if (parsePath(path) !== undefined) return path;
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use path ${JSON.stringify(path)}: it is not of the form key.key[0]["key.with.dots"]`,
  );
}

function parseRepository(image: string): ImageReference {
  const reference = parseImageReference(image);
  if (reference.tag === undefined && reference.digest === undefined) return reference;
  const found = `it names a version ("${reference.digest ?? reference.tag}")`;
  throw new TallymanError('PolicyInvalid', `Cannot use image "${image}": ${found}, a repository alone was wanted`, {
    remedy: 'Leave the tag and digest out of spec.image; a port needs a path after it.',
  });
}

function parseExtract(pattern: string): Extract {
  if (parsePattern(pattern).groupNames.includes('version')) return { pattern, template: '${version}' };
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use pattern ${JSON.stringify(pattern)}: it has no group named "version", (?<version>…) was wanted`,
  );
}

function parseGlob(folder: string, glob: string): string {
  const resolved = resolveGlob(folder, glob);
  if (resolved !== undefined) return resolved;
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use path "${glob}": it leads out of the repository, a path inside it was wanted`,
  );
}

/** What is wrong inside a policy is the policy's fault, whichever parser said it. */
function withCode(error: unknown): unknown {
  if (!(error instanceof TallymanError) || error.code === 'PolicyInvalid') return error;
  return new TallymanError('PolicyInvalid', error.message, { cause: error, remedy: error.remedy });
}

function nameOf(document: Document.Parsed): string | undefined {
  const read = (field: string): string | undefined => {
    const node = document.getIn(['metadata', field], true);
    return isScalar(node) && typeof node.value === 'string' && node.value.length <= 253 ? node.value : undefined;
  };
  const name = read('name');
  return name === undefined ? undefined : `${read('namespace') ?? 'default'}/${name}`;
}
