/** Reads fields of a Kubernetes object that a peer's tool validated, or did not: wrong types are absent and reported. */
import { isScalar, isSeq } from 'yaml';
import type { ErrorCode } from '../../error/catalogue.ts';
import { createProblem, type Problem } from '../../error/problem.ts';
import type { Place } from '../../error/tallyman-error.ts';
import { findNode } from '../schema-problems.ts';
import type { PolicyDocument } from './dialect.ts';

type Path = readonly (string | number)[];

/** An object with its identity. `{ key: 'flux-system/web', namespace: 'flux-system', name: 'web', … }` */
export interface KubernetesObject {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly source: Place;
  /** What the field holds as text, also for a number or boolean; undefined where it is absent or no scalar. */
  text(path: Path): string | undefined;
  /** Whether there is anything at the path; Kubernetes drops an explicit null. */
  has(path: Path): boolean;
  /** Texts of a sequence; undefined where there is none. */
  list(path: Path): readonly string[] | undefined;
  placeOf(path: Path): Place;
}

/** The object in a document; a missing name is `''`, a missing namespace `default`, as Kubernetes has it. */
export function openObject({ document, file, path: filePath }: PolicyDocument): KubernetesObject {
  const start = document.contents?.range?.[0] ?? document.range[0];
  const read = (path: Path): unknown => document.getIn(path, true);
  const text = (path: Path): string | undefined => {
    const node = read(path);
    return isScalar(node) && node.value !== null ? String(node.value) : undefined;
  };
  const namespace = text(['metadata', 'namespace']) || 'default';
  const name = text(['metadata', 'name']) ?? '';
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    source: { file: filePath, ...file.placeOf(start) },
    text,
    has(path) {
      const node = read(path);
      return node !== undefined && !(isScalar(node) && node.value === null);
    },
    list(path) {
      const node = read(path);
      if (!isSeq(node)) return undefined;
      return node.items.flatMap((item) => (isScalar(item) ? [String(item.value)] : []));
    },
    placeOf: (path) => ({ file: filePath, ...file.placeOf(findNode(document, path)?.range?.[0] ?? start) }),
  };
}

/** A problem about one field of the object, at its place. */
export function reportOn(
  object: KubernetesObject,
  code: ErrorCode,
  path: Path,
  { found, wanted, remedy }: { found: string; wanted: string; remedy?: string },
): Problem {
  const message = `Cannot use field "${path.join('.')}": ${found}, ${wanted} was wanted`;
  return createProblem(code, message, { place: object.placeOf(path), policy: object.key, remedy });
}
