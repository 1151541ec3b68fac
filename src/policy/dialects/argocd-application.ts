/** Argo CD's Applications: what is deployed from where, and the images that annotations name. */
import type { Problem } from '../../error/problem.ts';
import { type Place, TallymanError } from '../../error/tallyman-error.ts';
import { isNameOfObject } from '../object-name.ts';
import { annotationPrefix, readAnnotations } from './argocd-annotations.ts';
import { createFindings, type FieldPath, type Fields, type Located, showText } from './argocd-fields.ts';
import type { ImageRule } from './argocd-image.ts';
import { type ApplicationSources, readSources } from './argocd-places.ts';

/** One Application document. Plain data. */
export interface ApplicationPiece {
  readonly kind: 'application';
  readonly apiVersion: string;
  readonly name: string;
  /** Undefined where it is left to whoever applies the document. */
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly sources: ApplicationSources;
  /** By annotation. */
  readonly rules: readonly ImageRule[];
  readonly list: Located<string> | undefined;
  readonly writeBackTarget: Located<string> | undefined;
  /** Of its sources and labels: they matter where the Application has policies. */
  readonly problems: readonly Problem[];
  readonly source: Place;
}

interface ApplicationFindings {
  readonly pieces: readonly ApplicationPiece[];
  readonly problems: readonly Problem[];
}

/** The Application of a document; no piece where it has no usable name. */
export function readApplication(fields: Fields, file: string): ApplicationFindings {
  const findings = createFindings();
  const start = fields.placeOf([]);
  const name = findings.attempt(start, () => readName(fields, ['metadata', 'name']));
  const namespace = findings.attempt(start, () => readName(fields, ['metadata', 'namespace']));
  if (findings.problems.length > 0 || name === undefined) {
    const annotated = fields.has(['metadata', 'annotations', `${annotationPrefix}image-list`]);
    if (name === undefined && annotated && findings.problems.length === 0)
      findings.attempt(fields.placeOf(['metadata']), () => refuseName('it is missing'));
    return { pieces: [], problems: annotated ? findings.problems : [] };
  }
  const { problems, ...annotated } = readAnnotations(fields, { namespace, name });
  const sources = readSources(fields, file, findings);
  const labels = findings.attempt(start, () => readLabels(fields, ['metadata', 'labels'])) ?? {};
  const apiVersion = findings.attempt(start, () => fields.text(['apiVersion']))?.value ?? '';
  const common = { kind: 'application', apiVersion, name, namespace, labels, sources, source: start } as const;
  return { pieces: [{ ...common, ...annotated, problems: findings.problems }], problems };
}

/** What can be said of an ApplicationSet: its Applications exist in the cluster alone. */
export function readApplicationSet(fields: Fields): ApplicationFindings {
  const findings = createFindings();
  const path = ['spec', 'template', 'metadata', 'annotations'];
  const keys = findings.attempt(fields.placeOf(path), () => fields.keys(path)) ?? [];
  const field = keys.find((key) => key.startsWith(annotationPrefix));
  if (field !== undefined) {
    findings.partial(
      { field, place: fields.placeOf([...path, field], true) },
      'the Applications of an ApplicationSet are made in the cluster, only those in the Yaml repo are read',
      'Write an ImagePolicy of tallyman.dev/v1alpha1 whose write.paths covers the folders that the ApplicationSet generates from.',
    );
  }
  return { pieces: [], problems: field === undefined ? [] : findings.problems };
}

/** Labels; those that are no strings are left out, as nothing selects them. */
export function readLabels(fields: Fields, path: FieldPath): Record<string, string> {
  const pairs = fields.keys(path).flatMap((key) => {
    const value = createFindings().attempt(fields.placeOf(path), () => fields.text([...path, key]));
    return value === undefined ? [] : [[key, value.value] as const];
  });
  return Object.fromEntries(pairs);
}

/** A DNS-1123 name; undefined where it is missing. */
export function readName(fields: Fields, path: FieldPath): string | undefined {
  const found = fields.text(path);
  if (found === undefined || found.value === '') return undefined;
  if (isNameOfObject(found.value)) return found.value;
  return refuseName(`${showText(found.value)} was found`, found);
}

function refuseName(found: string, at?: Located<string>): never {
  const message = `Cannot use field "${at?.field ?? 'metadata.name'}": ${found}, a DNS-1123 name was wanted`;
  throw new TallymanError('PolicyInvalid', message, { place: at?.place });
}
