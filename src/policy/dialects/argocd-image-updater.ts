/** `ImageUpdater` objects of Argo CD Image Updater 1.x, which name Applications that may stand in other files. */
import type { Problem } from '../../error/problem.ts';
import { type Place, TallymanError } from '../../error/tallyman-error.ts';
import { describeBranch, describeMethod, idle } from './argocd-annotations.ts';
import { readName } from './argocd-application.ts';
import { createFindings, type FieldPath, type Fields, type Findings, type Located } from './argocd-fields.ts';
import { parseImageIdentifier } from './argocd-identifier.ts';
import { type ImageRule, readImageRule } from './argocd-image.ts';
import { readSelector, type Selector } from './argocd-selector.ts';

/** One entry of `spec.applicationRefs`. */
export interface ApplicationRef {
  readonly selector: Selector;
  /** The applications' own annotations name the images. */
  readonly useAnnotations: boolean;
  readonly rules: readonly ImageRule[];
  readonly writeBackTarget: Located<string> | undefined;
  readonly source: Place;
}

/** One ImageUpdater document. Plain data. */
export interface UpdaterPiece {
  readonly kind: 'updater';
  readonly name: string;
  /** Of the applications; undefined where it is left to whoever applies the document. */
  readonly namespace: string | undefined;
  readonly refs: readonly ApplicationRef[];
}

const refsPath = ['spec', 'applicationRefs'];
const maxRefs = 200;
const maxImages = 200;

/** The ImageUpdater of a document, with a problem for each entry, image or setting that cannot be used or does nothing here. */
export function readImageUpdater(fields: Fields): { pieces: readonly UpdaterPiece[]; problems: readonly Problem[] } {
  const findings = createFindings();
  const start = fields.placeOf([]);
  const kind = findings.attempt(start, () => fields.text(['kind']));
  if (kind?.value !== 'ImageUpdater') {
    const message = `Cannot use the object: its kind is ${JSON.stringify(kind?.value.slice(0, 80) ?? '')}, "ImageUpdater" was wanted`;
    findings.attempt(fields.placeOf(['kind']), () => {
      throw new TallymanError('PolicyInvalid', message);
    });
    return { pieces: [], problems: findings.problems };
  }
  const name = findings.attempt(start, () => readName(fields, ['metadata', 'name'])) ?? '';
  const readNamespace = (path: FieldPath) => findings.attempt(start, () => readName(fields, path));
  const namespace = readNamespace(['spec', 'namespace']) ?? readNamespace(['metadata', 'namespace']);
  reportIdle(fields, ['spec'], findings);
  const count = findings.attempt(fields.placeOf(refsPath), () => fields.count(refsPath)) ?? 0;
  if (count === 0 && findings.problems.length === 0)
    findings.attempt(fields.placeOf(refsPath), () =>
      refuse(fields, refsPath, 'it has no entries, at least one was wanted'),
    );
  if (count > maxRefs)
    findings.partial(
      { field: 'spec.applicationRefs', place: fields.placeOf(refsPath, true) },
      `it has ${count} entries, only the first ${maxRefs} are read`,
    );
  const refs = Array.from({ length: Math.min(count, maxRefs) }, (_, index) => [...refsPath, index]).flatMap(
    (path) => findings.attempt(fields.placeOf([...path, 'namePattern']), () => readRef(fields, path, findings)) ?? [],
  );
  return { pieces: [{ kind: 'updater', name, namespace, refs }], problems: findings.problems };
}

function readRef(fields: Fields, path: FieldPath, findings: Findings): ApplicationRef {
  const selector = readSelector(fields, path);
  const source = fields.placeOf(path);
  if (fields.flag([...path, 'useAnnotations'])?.value === true)
    return { selector, useAnnotations: true, rules: [], writeBackTarget: undefined, source };
  reportIdle(fields, path, findings);
  const images = [...path, 'images'];
  const count = fields.count(images);
  if (count === 0) refuse(fields, images, 'it has no entries, at least one image or useAnnotations: true was wanted');
  if (count > maxImages)
    findings.partial(
      { field: images.join('.'), place: fields.placeOf(images, true) },
      `it has ${count} entries, only the first ${maxImages} are read`,
    );
  const rules = Array.from({ length: Math.min(count, maxImages) }, (_, index) => [...images, index]).flatMap(
    (image) =>
      findings.attempt(fields.placeOf([...image, 'imageName']), () => readImage(fields, image, { path, findings })) ??
      [],
  );
  const target = ['writeBackConfig', 'gitConfig', 'writeBackTarget'];
  const writeBackTarget = fields.text([...path, ...target]) ?? fields.text(['spec', ...target]);
  return { selector, useAnnotations: false, rules, writeBackTarget, source };
}

/** Each setting is the image's own, else that of the entry, else that of the object. */
function readImage(fields: Fields, image: FieldPath, ref: { path: FieldPath; findings: Findings }): ImageRule {
  reportIdle(fields, image, ref.findings);
  const named = fields.text([...image, 'imageName']);
  if (named === undefined || named.value === '')
    return refuse(fields, [...image, 'imageName'], 'it is missing, an image was wanted');
  // The alias has its own field, so an "=" in the name belongs to a constraint.
  const identifier = { ...named, value: parseImageIdentifier(`=${named.value}`) };
  const settings = [image, ref.path, ['spec']].map((path) => [...path, 'commonUpdateSettings']);
  const first = <T>(read: (path: FieldPath) => T | undefined, name: string): T | undefined => {
    const path = settings.map((parent) => [...parent, name]).find((candidate) => fields.has(candidate));
    return path && read(path);
  };
  const helm = (name: string) => fields.text([...image, 'manifestTargets', 'helm', name]);
  return readImageRule(
    {
      alias: fields.text([...image, 'alias'])?.value ?? '',
      identifier,
      strategy: first(fields.text, 'updateStrategy'),
      allowTags: first(fields.text, 'allowTags'),
      ignoreTags: first(fields.texts, 'ignoreTags') ?? [],
      platforms: first(fields.texts, 'platforms') ?? [],
      helm: { spec: helm('spec'), name: helm('name'), tag: helm('tag') },
    },
    ref.findings,
  );
}

/** Fields that are understood and have no effect here. */
function reportIdle(fields: Fields, path: FieldPath, findings: Findings): void {
  const say = (at: readonly string[], describe: (value: string) => string | undefined): void => {
    const found = findings.attempt(fields.placeOf(path), () => fields.text([...path, ...at]));
    const message = found && found.value !== '' ? describe(found.value) : undefined;
    if (found && message !== undefined) findings.partial(found, message);
  };
  const force = [...path, 'commonUpdateSettings', 'forceUpdate'];
  const forced = findings.attempt(fields.placeOf(force), () => fields.flag(force));
  if (forced?.value === true) findings.partial(forced, idle.forceUpdate);
  say(['commonUpdateSettings', 'pullSecret'], () => idle.pullSecret);
  say(['writeBackConfig', 'method'], describeMethod);
  say(['writeBackConfig', 'gitConfig', 'branch'], (value) => describeBranch(value, []));
  say(['writeBackConfig', 'gitConfig', 'repository'], () => idle.repository);
}

function refuse(fields: Fields, path: FieldPath, found: string): never {
  const message = `Cannot use field "${path.join('.')}": ${found}`;
  throw new TallymanError('PolicyInvalid', message, { place: fields.placeOf(path) });
}
