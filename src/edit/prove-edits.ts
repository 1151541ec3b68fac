/** The proof that edits changed what they were meant to change and nothing else, by reading the text before and after. */
import { isAlias, isCollection, isMap, isPair, isScalar, type Node } from 'yaml';
import { TallymanError } from '../error/tallyman-error.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
import { styleOf } from '../yaml/walk-scalars.ts';
import type { Edit } from './plan.ts';
import { readsAsOtherType } from './quote-scalar.ts';

/** One node as the proof compares it. */
interface Trace {
  /** Kind, anchor and tag; for aliases the name. */
  readonly shape: string;
  readonly value: unknown;
  readonly start: number;
  readonly plain: boolean;
}

/** Throws `EditRefused` unless both texts are valid YAML with the same nodes, of which exactly the edited ones differ and hold the planned strings. */
export function proveEdits(
  file: string,
  { before, after, edits }: { before: string; after: string; edits: readonly Edit[] },
): void {
  const old = traceFile(before, file, 'before the edit');
  const fresh = traceFile(after, file, 'after the edit');
  if (old.length !== fresh.length)
    throw refuse(file, `the edit would change the number of nodes from ${old.length} to ${fresh.length}`);
  const planned = placeEdits(before, edits);
  let proved = 0;
  for (const [index, was] of old.entries()) {
    const is = fresh[index];
    const edit = planned.get(was.start);
    if (is === undefined || was.shape !== is.shape) throw refuse(file, 'the edit would change the structure around it');
    if (edit !== undefined && was.shape.startsWith('scalar')) {
      proveValue(file, edit, is);
      proved += 1;
    } else if (!Object.is(was.value, is.value)) {
      throw refuse(file, 'the edit would change a value beside the planned one');
    }
  }
  if (proved !== edits.length) throw refuse(file, 'an edit is not at the place of a value');
}

function proveValue(file: string, edit: Edit, is: Trace): void {
  const string = typeof is.value === 'string' && !(is.plain && readsAsOtherType(is.value));
  if (string && is.value === edit.value) return;
  throw refuse(
    file,
    `line ${edit.line} would read as ${JSON.stringify(is.value)}, the string ${JSON.stringify(edit.value)} was wanted`,
  );
}

function traceFile(text: string, file: string, when: string): Trace[] {
  const parsed: YamlFile = readYaml(text, file);
  const [first] = parsed.problems;
  if (first !== undefined) throw refuse(file, `it is not valid YAML ${when} (line ${first.place?.line})`);
  return parsed.documents.flatMap((document) => traceNodes(document.contents));
}

function traceNodes(root: unknown): Trace[] {
  const traces: Trace[] = [];
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    if (isPair(node)) stack.push(node.value, node.key);
    else {
      traces.push(traceNode(node));
      if (isCollection(node)) for (const item of [...node.items].reverse()) stack.push(item);
    }
  }
  return traces;
}

function traceNode(node: unknown): Trace {
  const start = (node as Node | null)?.range?.[0] ?? -1;
  if (isAlias(node)) return { shape: `alias ${node.source}`, value: undefined, start, plain: false };
  if (isCollection(node)) {
    const shape = `${isMap(node) ? 'map' : 'seq'} ${node.flow === true} ${node.anchor} ${node.tag}`;
    return { shape, value: node.items.length, start, plain: false };
  }
  if (!isScalar(node)) return { shape: 'nothing', value: undefined, start, plain: false };
  const plain = styleOf(node as Parameters<typeof styleOf>[0]) === 'plain';
  return { shape: `scalar ${node.anchor} ${node.tag}`, value: node.value, start, plain };
}

/** The edits by where they start in UTF-16 units: how the nodes of the text before are counted. */
function placeEdits(text: string, edits: readonly Edit[]): ReadonlyMap<number, Edit> {
  const bytes = new TextEncoder().encode(text);
  const placed = new Map<number, Edit>();
  let chars = 0;
  let position = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    chars += new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(position, edit.start)).length;
    position = edit.start;
    placed.set(chars, edit);
  }
  return placed;
}

function refuse(file: string, found: string): TallymanError {
  return new TallymanError(
    'EditRefused',
    `Cannot edit file "${file}": ${found}, only the planned values were to change`,
    { place: { file } },
  );
}
