/** What the annotations of an Application say. Source: annotations of Argo CD Image Updater 0.x, which 1.x reads too. */

import type { Problem } from '../../error/problem.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import { createFindings, type FieldPath, type Fields, type Findings, type Located, showText } from './argocd-fields.ts';
import { type ImageIdentifier, parseImageIdentifier } from './argocd-identifier.ts';
import { type ImageRule, type ImageSettings, readImageRule } from './argocd-image.ts';
import { formatImageKey } from './argocd-key.ts';

/** Bytes that every annotation of the peer starts with. */
export const annotationPrefix = 'argocd-image-updater.argoproj.io/';

/** What an application's annotations yield: an empty list of images where they name none. */
export interface AnnotatedImages {
  readonly rules: readonly ImageRule[];
  /** Where the list stands; undefined where there is none. */
  readonly list: Located<string> | undefined;
  readonly writeBackTarget: Located<string> | undefined;
  readonly problems: readonly Problem[];
}

/** The application, as far as the names of its policies need it. */
interface Owner {
  readonly namespace: string | undefined;
  readonly name: string;
}

const maxImages = 200;
const applicationWide = ['update-strategy', 'allow-tags', 'ignore-tags', 'force-update', 'pull-secret'];
const ofApplication = ['image-list', 'write-back-method', 'write-back-target', 'git-branch', 'git-repository'];
const ofImage = [
  ...applicationWide,
  'platforms',
  'helm.image-name',
  'helm.image-tag',
  'helm.image-spec',
  'kustomize.image-name',
];

/** The images that the annotations list, and a problem for each that cannot be used and for each annotation that does nothing here. */
export function readAnnotations(fields: Fields, application: Owner): AnnotatedImages {
  const findings = createFindings();
  const read = (name: string): Located<string> | undefined =>
    findings.attempt(fields.placeOf([]), () => fields.text(annotation(name)));
  const list = read('image-list');
  const names = (findings.attempt(fields.placeOf([]), () => fields.keys(['metadata', 'annotations'])) ?? [])
    .filter((key) => key.startsWith(annotationPrefix))
    .map((key) => key.slice(annotationPrefix.length));
  const [first] = names;
  if (list === undefined || list.value === '') {
    if (first !== undefined && findings.problems.length === 0)
      findings.partial(keyOf(fields, first), 'there is no annotation "image-list", which names the images');
    return { rules: [], list: undefined, writeBackTarget: undefined, problems: findings.problems };
  }
  const items = list.value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (items.length > maxImages)
    findings.partial(list, `it lists ${items.length} images, only the first ${maxImages} are read`);
  const images = items.slice(0, maxImages).map((value) => readImage(fields, { ...list, value }, application));
  const aliases = items.map((text) => findIdentifier(text)?.alias ?? '').filter((alias) => alias !== '');
  reportUnknown(fields, { names, aliases }, findings);
  reportIdle(fields, names, findings);
  const writeBackTarget = read('write-back-target');
  const problems = [...images, findings].flatMap((found) => found.problems);
  return { rules: images.flatMap(({ rule }) => rule ?? []), list, writeBackTarget, problems };
}

function annotation(name: string): FieldPath {
  return ['metadata', 'annotations', `${annotationPrefix}${name}`];
}

function keyOf(fields: Fields, name: string): { field: string; place: Located<string>['place'] } {
  return { field: `${annotationPrefix}${name}`.slice(0, 200), place: fields.placeOf(annotation(name), true) };
}

/** The rule of one image, with the problems that concern its policy. */
function readImage(fields: Fields, item: Located<string>, application: Owner) {
  const parsed = findIdentifier(item.value);
  const name = parsed && (parsed.alias || parsed.name.split('/').at(-1));
  const findings = createFindings(name === undefined ? undefined : formatImageKey(application, name));
  const rule = findings.attempt(item.place, () => {
    const identifier = { ...item, value: parseImageIdentifier(item.value) };
    return readImageRule(readSettings(fields, identifier), findings);
  });
  return { rule, problems: findings.problems };
}

/** Settings of the image's alias, or else of the application; without an alias there are only the latter. */
function readSettings(fields: Fields, identifier: ImageSettings['identifier']): ImageSettings {
  const { alias } = identifier.value;
  const own = (name: string): Located<string> | undefined =>
    alias === '' ? undefined : fields.text(annotation(`${toKey(alias)}.${name}`));
  const either = (name: string): Located<string> | undefined => {
    const found = own(name);
    return found === undefined || found.value === '' ? fields.text(annotation(name)) : found;
  };
  return {
    alias,
    identifier,
    strategy: either('update-strategy'),
    allowTags: either('allow-tags'),
    ignoreTags: splitList(own('ignore-tags') ?? fields.text(annotation('ignore-tags'))),
    platforms: splitList(own('platforms')),
    helm: { spec: own('helm.image-spec'), name: own('helm.image-name'), tag: own('helm.image-tag') },
  };
}

/** A slash cannot stand in an annotation's name: `acme/web` is `acme_web` there. */
function toKey(alias: string): string {
  return alias.replaceAll('/', '_');
}

function findIdentifier(text: string): ImageIdentifier | undefined {
  try {
    return parseImageIdentifier(text);
  } catch (error) {
    if (error instanceof TallymanError) return undefined;
    throw error;
  }
}

function splitList(found: Located<string> | undefined): Located<string>[] {
  return (found?.value.split(',') ?? []).map(
    (value) => ({ field: '', ...found, value: value.trim() }) as Located<string>,
  );
}

interface Names {
  readonly names: readonly string[];
  readonly aliases: readonly string[];
}

function reportUnknown(fields: Fields, { names, aliases }: Names, findings: Findings): void {
  const known = new Set([
    ...ofApplication,
    ...applicationWide,
    ...aliases.flatMap((alias) => ofImage.map((name) => `${toKey(alias)}.${name}`)),
  ]);
  for (const name of names.filter((candidate) => !known.has(candidate))) {
    const wanted = `the alias of an image in "image-list" and one of ${ofImage.map((suffix) => `".${suffix}"`).join(', ')} was wanted`;
    findings.partial(keyOf(fields, name), `it is not known here, ${wanted}`);
  }
}

/** Annotations that are understood and have no effect here. */
function reportIdle(fields: Fields, names: readonly string[], findings: Findings): void {
  for (const name of names) {
    const reason = idleReasons[name.replace(/^.*\.(?=(?:force-update|pull-secret)$)/, '')];
    const found = reason && findings.attempt(fields.placeOf([]), () => fields.text(annotation(name)));
    const message = found && reason(found.value, fields);
    if (found && message !== undefined) findings.partial(found, message);
  }
}

/** Why a value does nothing here; undefined where nothing is lost. */
type IdleReason = (value: string, fields: Fields) => string | undefined;

const idleReasons: Readonly<Record<string, IdleReason>> = {
  'force-update': (value) => (value.toLowerCase() === 'true' ? idle.forceUpdate : undefined),
  'pull-secret': () => idle.pullSecret,
  'write-back-method': (value) => describeMethod(value),
  'git-branch': (value, fields) => describeBranch(value, listSourceFields(fields, 'targetRevision')),
  'git-repository': (value, fields) =>
    listSourceFields(fields, 'repoURL').includes(value) ? undefined : idle.repository,
};

function listSourceFields(fields: Fields, name: string): string[] {
  const paths: FieldPath[] = [['spec', 'source', name]];
  const findings = createFindings();
  const count = findings.attempt(fields.placeOf([]), () => fields.count(['spec', 'sources'])) ?? 0;
  for (let index = 0; index < Math.min(count, 20); index += 1) paths.push(['spec', 'sources', index, name]);
  return paths.flatMap((path) => findings.attempt(fields.placeOf([]), () => fields.text(path))?.value ?? []);
}

/** Reasons that annotations and ImageUpdater objects share. */
export const idle = {
  forceUpdate: 'an image is written wherever the Yaml repo has it, whether or not it runs, so nothing is forced',
  pullSecret: 'policies name no credentials, those of `registries` in the configuration are used',
  repository: 'the Yaml repo itself is written, that of `repos` in the configuration',
} as const;

/** Why a write-back method does nothing here; undefined for plain `git`. */
export function describeMethod(value: string): string | undefined {
  if (value === '' || value === 'git') return undefined;
  if (value === 'argocd') return 'versions are committed to the Yaml repo, never set through the API of Argo CD';
  if (value.startsWith('git:')) return 'policies name no credentials, those of `repos` in the configuration are used';
  return `${showText(value)} is not known, "git" was wanted; versions are committed to the Yaml repo`;
}

/** Why a branch does nothing here; undefined where it is the one that Argo CD follows anyway. */
export function describeBranch(value: string, revisions: readonly string[]): string | undefined {
  if (value === '' || revisions.includes(value)) return undefined;
  return 'commits go to the branch of `repos` in the configuration';
}
