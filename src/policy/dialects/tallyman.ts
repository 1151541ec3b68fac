/** The native dialect: `ImagePolicy` documents of tallyman.dev. */
import { type Document, isScalar } from 'yaml';
import { toProblem } from '../../error/problem.ts';
import type { Place } from '../../error/tallyman-error.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import { type ImageReference, parseImageReference } from '../../image/reference.ts';
import type { YamlFile } from '../../yaml/read-yaml.ts';
import { resolveGlob } from '../glob.ts';
import { parsePattern } from '../pattern.ts';
import type { Policy } from '../policy.ts';
import { type ImagePolicyDocument, imagePolicySchema } from '../schema.ts';
import { findNode, toSchemaProblems } from '../schema-problems.ts';
import { parseSemverRange } from '../semver-range.ts';
import type { Dialect, PolicyFindings } from './dialect.ts';

const needle = 'tallyman.dev/';

export const tallymanDialect: Dialect = {
  needle,
  claims(document) {
    const apiVersion = document.get('apiVersion');
    return typeof apiVersion === 'string' && apiVersion.startsWith(needle);
  },
  read: readImagePolicy,
};

function readImagePolicy(document: Document.Parsed, file: YamlFile, path: string): PolicyFindings {
  const start = document.contents?.range?.[0] ?? document.range[0];
  const source: Place = { file: path, ...file.placeOf(start) };
  const policy = nameOf(document);
  const value = toValue(document, source);
  if (value instanceof TallymanError) return { policies: [], problems: [toProblem(value, { place: source })] };
  const parsed = imagePolicySchema.safeParse(value);
  if (!parsed.success) {
    const context = { code: 'PolicyInvalid', file: path, document, placeOf: file.placeOf, policy } as const;
    return { policies: [], problems: toSchemaProblems(parsed.error.issues, context) };
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
  document: ImagePolicyDocument,
  source: Place,
  placeOf: (field: readonly PropertyKey[]) => Place,
): PolicyFindings {
  const { metadata, spec } = document;
  const { select } = spec;
  const key = `${metadata.namespace}/${metadata.name}`;
  const problems: PolicyFindings['problems'][number][] = [];
  const attempt = <T>(field: readonly PropertyKey[], read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(toProblem(withCode(error), { place: placeOf(['spec', ...field]), policy: key }));
      return undefined;
    }
  };
  const reference = attempt(['image'], () => parseRepository(spec.image));
  attempt(['select', 'semver'], () => parseSemverRange(select.semver));
  for (const list of ['include', 'exclude'] as const) {
    for (const [index, pattern] of select[list].entries())
      attempt(['select', list, index], () => parsePattern(pattern));
  }
  const { extract } = select;
  if (extract !== undefined) attempt(['select', 'extract'], () => parseExtract(extract));
  const folder = source.file.split('/').slice(0, -1).join('/');
  const globs = (spec.write.paths ?? ['./**']).flatMap(
    (glob, index) => attempt(['write', 'paths', index], () => parseGlob(folder, glob)) ?? [],
  );
  if (reference === undefined || problems.length > 0) return { policies: [], problems };
  const policy: Policy = {
    key,
    namespace: metadata.namespace,
    name: metadata.name,
    image: spec.image,
    repository: { host: reference.host, path: reference.path },
    select: { kind: 'semver', range: select.semver, prereleases: select.prereleases },
    include: select.include,
    exclude: select.exclude,
    extract,
    skip: select.skip,
    allowDowngrade: select.allowDowngrade,
    pin: spec.pin,
    paths: { globs, explicit: spec.write.paths !== undefined },
    markersOnly: false,
    suspend: spec.suspend,
    source,
  };
  return { policies: [policy], problems: [] };
}

function parseRepository(image: string): ImageReference {
  const reference = parseImageReference(image);
  if (reference.tag === undefined && reference.digest === undefined) return reference;
  const found = `it names a version ("${reference.digest ?? reference.tag}")`;
  throw new TallymanError('PolicyInvalid', `Cannot use image "${image}": ${found}, a repository alone was wanted`, {
    remedy: 'Leave the tag and digest out of spec.image; a port needs a path after it.',
  });
}

function parseExtract(extract: string): void {
  if (parsePattern(extract).groupNames.includes('version')) return;
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use pattern ${JSON.stringify(extract)}: it has no group named "version", (?<version>…) was wanted`,
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
