/** Reads single fields of a document, each with its place, so that one bad field spoils no other. */
import { createProblem, type Problem, toProblem } from '../../error/problem.ts';
import { type Place, TallymanError } from '../../error/tallyman-error.ts';
import { findNode } from '../schema-problems.ts';
import type { PolicyDocument } from './dialect.ts';

export type FieldPath = readonly (string | number)[];

/** A value and where it stands. `{ value: 'semver', field: 'spec.…', place: { file: 'web.yaml', line: 7, column: 5 } }` */
export interface Located<T> {
  readonly value: T;
  /** Its path or key, as messages show it. */
  readonly field: string;
  readonly place: Place;
}

/** Fields by path. One that is missing or empty is undefined; one of a wrong type throws `PolicyInvalid` with its place. */
export interface Fields {
  text(path: FieldPath): Located<string> | undefined;
  texts(path: FieldPath): readonly Located<string>[] | undefined;
  flag(path: FieldPath): Located<boolean> | undefined;
  /** How many items the list has; 0 where there is none. */
  count(path: FieldPath): number;
  /** The keys of a map; none where there is no map. */
  keys(path: FieldPath): readonly string[];
  has(path: FieldPath): boolean;
  /** Whether the file holds no other document. */
  readonly single: boolean;
  /** The key's own place, or that of the nearest parent. */
  placeOf(path: FieldPath, atKey?: boolean): Place;
}

const maxAliasCount = 100;

/** The fields of a document; throws `PolicyInvalid` where its aliases would blow up. */
export function createFields({ document, file, path: filePath }: PolicyDocument): Fields {
  const start = document.contents?.range?.[0] ?? document.range[0];
  const placeOf = (path: FieldPath, atKey = false): Place => {
    const offset = findNode(document, path, atKey)?.range?.[0] ?? start;
    return { file: filePath, ...file.placeOf(offset) };
  };
  const root = toValue(document, placeOf([]));
  const read = <T>(path: FieldPath, wanted: string, is: (value: unknown) => value is T): Located<T> | undefined => {
    const value = getValue(root, path);
    const field = formatPath(path);
    if (value === undefined || value === null) return undefined;
    if (is(value)) return { value, field, place: placeOf(path) };
    throw new TallymanError('PolicyInvalid', `Cannot use field "${field}": ${describe(value)}, ${wanted} was wanted`, {
      place: placeOf(path),
    });
  };
  const text = (path: FieldPath): Located<string> | undefined => {
    const found = read(path, 'a string', (value) => typeof value === 'string');
    return found && { ...found, value: found.value.trim() };
  };
  return {
    text,
    texts: (path) =>
      read(path, 'a list', (value) => Array.isArray(value))?.value.flatMap((_, index) => text([...path, index]) ?? []),
    flag: (path) => read(path, 'true or false', (value) => typeof value === 'boolean'),
    count: (path) => read(path, 'a list', (value) => Array.isArray(value))?.value.length ?? 0,
    keys: (path) => Object.keys(read(path, 'a map', isMap)?.value ?? {}),
    has: (path) => getValue(root, path) !== undefined,
    single: file.documents.length === 1,
    placeOf,
  };
}

/** Collects the problems of one object's fields. */
export interface Findings {
  readonly problems: Problem[];
  /** What `read` gives; undefined, and a problem, where it throws. */
  attempt<T>(place: Place, read: () => T): T | undefined;
  partial(found: Pick<Located<unknown>, 'field' | 'place'>, message: string, remedy?: string): void;
}

/** An empty collection, of problems that concern `policy` where it is known. */
export function createFindings(policy?: string): Findings {
  const problems: Problem[] = [];
  return {
    problems,
    attempt(place, read) {
      try {
        return read();
      } catch (error) {
        problems.push(toProblem(asInvalid(error), { place, ...(policy !== undefined && { policy }) }));
        return undefined;
      }
    },
    partial({ field, place }, message, remedy) {
      problems.push(
        createProblem('PolicyPartial', `Cannot carry over "${field}": ${message}`, { place, policy, remedy }),
      );
    },
  };
}

/** What is wrong inside a policy is the policy's fault, whichever parser said it. */
function asInvalid(error: unknown): unknown {
  if (!(error instanceof TallymanError) || error.code === 'PolicyInvalid') return error;
  return new TallymanError('PolicyInvalid', error.message, { cause: error, remedy: error.remedy });
}

/** Quoted, and cut where it is long: policy files may hold anything. */
export function showText(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

/** `spec.source.path`; of an annotation its key alone, which says more. */
function formatPath(path: FieldPath): string {
  const isAnnotation = path.length === 3 && path[1] === 'annotations';
  return (isAnnotation ? path.slice(2) : path).join('.').slice(0, 200);
}

function getValue(root: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined,
    root,
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `${showText(value)} was found`;
  if (Array.isArray(value)) return 'a list was found';
  return typeof value === 'object' ? 'a map was found' : `the ${typeof value} ${String(value)} was found`;
}

function toValue(document: PolicyDocument['document'], place: Place): unknown {
  try {
    return document.toJS({ maxAliasCount });
  } catch (cause) {
    throw new TallymanError(
      'PolicyInvalid',
      'Cannot read the object: its aliases expand too far, plain values were wanted',
      { place, cause },
    );
  }
}
