import { type Document, isMap, isNode, isScalar, type Node, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import type { ErrorCode } from '../error/catalogue.ts';
import { createProblem, type Problem } from '../error/problem.ts';

type Path = readonly PropertyKey[];

/** What turns the issues of one validated document into problems with their place. */
interface IssueContext {
  readonly code: ErrorCode;
  readonly file: string;
  readonly document: Document.Parsed;
  readonly placeOf: (offset: number) => { line: number; column: number };
  /** `namespace/name` where it is known. */
  readonly policy?: string | undefined;
}

/** One problem for each issue: what was found and what was wanted, at the line and column of the value, or of the nearest parent. */
export function toSchemaProblems(issues: readonly z.core.$ZodIssue[], context: IssueContext): Problem[] {
  return issues.flatMap(splitIssue).map(({ path, wanted, atKey }) => {
    const node = findNode(context.document, path, atKey);
    const place = { file: context.file, ...context.placeOf(node?.range?.[0] ?? context.document.range[0]) };
    const found = atKey ? 'it is not known here' : describeFound(context, path);
    const message = `Cannot use field "${path.map(String).join('.')}": ${found}, ${wanted} was wanted`;
    return createProblem(context.code, message, { place, policy: context.policy });
  });
}

/** Where a path of keys and indexes stands in the document; the place of its nearest parent where it is missing. */
export function findNode(document: Document.Parsed, path: Path, atKey = false): Node | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const wanted = path.slice(0, length);
    const parent: unknown = atKey && length === path.length ? getIn(document, wanted.slice(0, -1)) : undefined;
    const node = findKey(parent, wanted.at(-1)) ?? getIn(document, wanted);
    if (isNode(node) && node.range) return node;
  }
  return undefined;
}

function getIn(document: Document.Parsed, path: Path): unknown {
  return path.length === 0 ? document.contents : document.getIn(path, true);
}

function findKey(map: unknown, key: PropertyKey | undefined): Node | undefined {
  const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
  return isNode(pair?.key) ? pair.key : undefined;
}

/** Policy files hold no secrets, so their values may be shown; of the configuration only the type is. */
function describeFound(context: IssueContext, path: Path): string {
  const node = getIn(context.document, path);
  if (node === undefined) return 'it is missing';
  if (isMap(node)) return `${describeKeys(node)} was found`;
  if (!isScalar(node)) return 'a list was found';
  if (node.value === null) return 'it is empty';
  const text = JSON.stringify(node.value);
  const shown = context.code === 'PolicyInvalid' && text.length <= 80;
  return `${shown ? text : `a ${typeof node.value}`} was found`;
}

/** `a map with "include" and "skip"`: names are no secrets, and tell what is there in place of what was wanted. */
function describeKeys(map: YAMLMap): string {
  const keys = map.items.slice(0, 8).map((item) => JSON.stringify(String(item.key)).slice(0, 40));
  return keys.length === 0 ? 'an empty map' : `a map with ${keys.join(', ')}`;
}

interface Finding {
  readonly path: Path;
  readonly wanted: string;
  readonly atKey: boolean;
}

function splitIssue(issue: z.core.$ZodIssue): Finding[] {
  const branch = issue.code === 'invalid_union' ? findMeant(issue.errors) : undefined;
  if (branch !== undefined)
    return branch.flatMap((inner) => splitIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, wanted: describeWanted(issue), atKey: false }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], wanted: 'a field of the schema', atKey: true }));
}

/** Of several shapes the one that the value has, but for what is inside. */
function findMeant(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const hasShape = (issues: readonly z.core.$ZodIssue[]) =>
    !issues.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'));
  return branches.find(hasShape);
}

const nouns: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  int: 'a whole number',
};

function describeWanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return nouns[issue.expected] ?? `a ${issue.expected}`;
    case 'invalid_value':
      return issue.values.map((value) => JSON.stringify(value)).join(' or ');
    case 'too_small':
      return `at least ${issue.minimum} (${issue.origin})`;
    case 'too_big':
      return `at most ${issue.maximum} (${issue.origin})`;
    default:
      return issue.message;
  }
}
