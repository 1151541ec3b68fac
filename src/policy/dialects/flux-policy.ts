import { createProblem, type Problem, toProblem } from '../../error/problem.ts';
import type { ObjectName, Place } from '../../error/tallyman-error.ts';
import { parseMastermindsRange } from '../../version/masterminds-range.ts';
import { parsePattern } from '../pattern.ts';
import type { Pin, Policy, SelectRule } from '../policy.ts';
import type { PieceFindings, PolicyDocument } from './dialect.ts';
import type { AutomationPiece } from './flux-automation.ts';
import type { RepositoryPiece } from './flux-repository.ts';
import { type KubernetesObject, openObject, reportOn } from './kubernetes-object.ts';

/** A Flux `ImagePolicy`, ready but for the image that its repository names. */
export interface FluxPolicyPiece {
  readonly kind: 'policy';
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: ObjectName;
  readonly repositoryKey: string;
  readonly repositoryPlace: Place;
  readonly select: SelectRule;
  readonly filter: TagFilter;
  readonly pin: Pin;
  readonly suspend: boolean;
  readonly source: Place;
}

/** Which tags count, and what of them is the version. */
type TagFilter = Pick<Policy, 'include' | 'extract'>;

/** In the order in which Flux takes them where several are set. */
const kinds = ['semver', 'alphabetical', 'numerical'] as const;

/** Source: ImagePolicy.spec of image.toolkit.fluxcd.io. */
export function readFluxPolicy(document: PolicyDocument): PieceFindings<FluxPolicyPiece> {
  const object = openObject(document);
  const problems: Problem[] = [];
  const select = readRule(object, problems);
  const filter = readFilter(object, problems);
  const pin = readPin(object, problems);
  const repositoryName = object.text(['spec', 'imageRepositoryRef', 'name']);
  if (repositoryName === undefined) {
    problems.push(
      reportOn(object, 'PolicyInvalid', ['spec', 'imageRepositoryRef', 'name'], {
        found: 'it is missing',
        wanted: 'the name of an ImageRepository',
      }),
    );
  }
  if (select === undefined || repositoryName === undefined || problems.some(({ code }) => code === 'PolicyInvalid'))
    return { pieces: [], problems };
  const { key, namespace, name, source } = object;
  const piece: FluxPolicyPiece = {
    kind: 'policy',
    key,
    namespace,
    name,
    object: { apiVersion: object.text(['apiVersion']) ?? '', kind: 'ImagePolicy', namespace, name },
    repositoryKey: `${object.text(['spec', 'imageRepositoryRef', 'namespace']) ?? namespace}/${repositoryName}`,
    repositoryPlace: object.placeOf(['spec', 'imageRepositoryRef', 'name']),
    select,
    filter,
    pin,
    suspend: object.text(['spec', 'suspend']) === 'true',
    source,
  };
  return { pieces: [piece], problems };
}

function readRule(object: KubernetesObject, problems: Problem[]): SelectRule | undefined {
  const base = ['spec', 'policy'];
  const present = kinds.filter((kind) => object.has([...base, kind]));
  const [kind, ...ignored] = present;
  problems.push(
    ...ignored.map((other) =>
      reportOn(object, 'PolicyPartial', [...base, other], {
        found: `"${kind}" is there too and is used`,
        wanted: 'one kind',
      }),
    ),
  );
  if (kind === undefined) {
    problems.push(
      reportOn(object, 'PolicyInvalid', base, {
        found: 'it holds no kind that is known',
        wanted: kinds.join(', ').replace(/, (?=[^,]*$)/, ' or '),
      }),
    );
    return undefined;
  }
  return kind === 'semver' ? readSemver(object, problems) : readOrder(object, kind, problems);
}

function readSemver(object: KubernetesObject, problems: Problem[]): SelectRule | undefined {
  const path = ['spec', 'policy', 'semver', 'range'];
  const range = object.text(path) ?? '';
  try {
    parseMastermindsRange(range);
    return { kind: 'semver', range, prereleases: false, coerce: false, grammar: 'flux' };
  } catch (error) {
    problems.push(toProblem(error, { place: object.placeOf(path), policy: object.key }));
    return undefined;
  }
}

function readOrder(
  object: KubernetesObject,
  kind: 'alphabetical' | 'numerical',
  problems: Problem[],
): SelectRule | undefined {
  const path = ['spec', 'policy', kind, 'order'];
  const order = (object.text(path) || 'asc').toLowerCase();
  if (order === 'asc' || order === 'desc') return { kind, order };
  problems.push(
    reportOn(object, 'PolicyInvalid', path, { found: `${JSON.stringify(order)} was found`, wanted: '"asc" or "desc"' }),
  );
  return undefined;
}

/** An empty pattern filters nothing; without a template the whole tag is the version. */
function readFilter(object: KubernetesObject, problems: Problem[]): TagFilter {
  const pattern = object.text(['spec', 'filterTags', 'pattern']) ?? '';
  const template = object.text(['spec', 'filterTags', 'extract']) ?? '';
  if (pattern === '') return { include: [], extract: undefined };
  try {
    parsePattern(pattern);
  } catch (error) {
    problems.push(toProblem(error, { place: object.placeOf(['spec', 'filterTags', 'pattern']), policy: object.key }));
  }
  return template === '' ? { include: [pattern], extract: undefined } : { include: [], extract: { pattern, template } };
}

/** `Always` and `IfNotPresent` write the digest; `Never`, the default, keeps what the file has, where Flux drops a digest. */
function readPin(object: KubernetesObject, problems: Problem[]): Pin {
  const path = ['spec', 'digestReflectionPolicy'];
  const reflection = object.text(path) ?? 'Never';
  if (reflection === 'Never') return 'keep';
  if (reflection === 'Always') {
    const found = '"Always" was found, which also follows a tag whose digest changes';
    const remedy = 'Nothing has to be done: the digest is written with each new tag; a tag that moves is left alone.';
    problems.push(reportOn(object, 'PolicyPartial', path, { found, wanted: '"IfNotPresent"', remedy }));
  } else if (reflection !== 'IfNotPresent') {
    problems.push(
      reportOn(object, 'PolicyInvalid', path, {
        found: `${JSON.stringify(reflection)} was found`,
        wanted: '"Always", "IfNotPresent" or "Never"',
      }),
    );
  }
  return 'digest';
}

/** The policy with its image; a problem where the repository that it names is not in the Yaml repo. */
export function toPolicy(
  piece: FluxPolicyPiece,
  { repository, automations }: { repository: RepositoryPiece | undefined; automations: readonly AutomationPiece[] },
): Policy | Problem {
  const { key, namespace, name, source, select, filter, pin } = piece;
  if (repository === undefined) {
    const message = `Cannot use policy "${key}": there is no usable ImageRepository "${piece.repositoryKey}" in the Yaml repo, one was wanted`;
    return createProblem('PolicyInvalid', message, { place: piece.repositoryPlace, policy: key, object: piece.object });
  }
  const own = automations.filter((automation) => automation.namespace === namespace);
  const globs = own.flatMap(({ suspend, path }) => (suspend ? [] : (path ?? [])));
  return {
    key,
    namespace,
    name,
    object: piece.object,
    image: repository.image,
    repository: repository.repository,
    select,
    ...filter,
    exclude: repository.exclude,
    skip: [],
    allowDowngrade: false,
    minimumAgeMs: 0,
    platforms: [],
    ties: 'shortest',
    pin,
    paths: { globs: own.length === 0 ? [''] : globs, explicit: own.length > 0 },
    targets: [],
    markersOnly: true,
    suspend: piece.suspend || repository.suspend || (own.length > 0 && globs.length === 0),
    source,
  };
}
