/** The proof that edits changed what they were meant to change and nothing else, by reading the text before and after. */
import { isAlias, isCollection, isMap, isPair, isScalar, type Scalar } from 'yaml';
import { TallymanError } from '../error/tallyman-error.ts';
import { findBlockText } from '../yaml/block-text.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
import { startOf, styleOf } from '../yaml/scalar-source.ts';
import { isOtherType } from '../yaml/scalar-tag.ts';
import type { Edit } from './plan.ts';
import { readsAsOtherType } from './quote-scalar.ts';

/** One node as the proof compares it. */
interface Trace {
  /** Kind, anchor and tag; for aliases the name. */
  readonly shape: string;
  readonly value: unknown;
  readonly start: number;
  readonly scalar: Scalar.Parsed | undefined;
}

/** An edit by its place in the text that is looked at, in UTF-16 units. */
interface PlacedEdit {
  readonly start: number;
  readonly end: number;
  readonly edit: Edit;
}

/** What is compared: two texts, and the edits that lie between them in the order of the text. */
interface Comparison {
  readonly before: string;
  readonly after: string;
  readonly edits: readonly PlacedEdit[];
  /** Whether the texts stand in a block scalar themselves: then no edit may lie in a block scalar of theirs. */
  readonly inBlock: boolean;
}

/**
 * Throws `EditRefused` unless both texts are valid YAML with the same nodes, of which exactly the edited ones differ and hold
 * the planned strings. A block scalar with edits inside must hold its old text with just these, and that text is proved too.
 */
export function proveEdits(
  file: string,
  { before, after, edits }: { before: string; after: string; edits: readonly Edit[] },
): void {
  proveTexts(file, { before, after, edits: placeEdits(before, edits), inBlock: false });
}

function proveTexts(file: string, comparison: Comparison): void {
  const { before, edits, inBlock } = comparison;
  const old = traceFile(before, file, 'before the edit');
  const fresh = traceFile(comparison.after, file, 'after the edit');
  if (old.length !== fresh.length)
    throw refuse(file, `the edit would change the number of nodes from ${old.length} to ${fresh.length}`);
  const byStart = new Map(edits.map((placed) => [placed.start, placed]));
  let proved = 0;
  for (const [index, was] of old.entries()) {
    const is = fresh[index];
    if (is === undefined || was.shape !== is.shape) throw refuse(file, 'the edit would change the structure around it');
    const placed = byStart.get(was.start);
    if (placed !== undefined && was.scalar !== undefined) {
      proveValue(file, placed.edit, is);
      proved += 1;
    } else if (!Object.is(was.value, is.value)) {
      if (inBlock) throw refuse(file, besideFault);
      proved += proveBlock(file, { was, is, comparison });
    }
  }
  if (proved !== edits.length) throw refuse(file, 'an edit is not at the place of a value');
}

const besideFault = 'the edit would change a value beside the planned one';

/** Proves the text of a block scalar in which edits lie; the number of these. */
function proveBlock(file: string, { was, is, comparison }: { was: Trace; is: Trace; comparison: Comparison }): number {
  const block = was.scalar === undefined ? undefined : findBlockText(comparison.before, was.scalar);
  const end = was.scalar?.range[1] ?? 0;
  const inside = comparison.edits.filter((placed) => placed.start > was.start && placed.end <= end);
  if (block === undefined || inside.length === 0 || typeof is.value !== 'string') throw refuse(file, besideFault);
  const edits = inside.map((placed): PlacedEdit => {
    const start = block.innerOf(placed.start);
    if (start === undefined) throw refuse(file, 'an edit is not inside the text of its block scalar');
    return { start, end: start + placed.end - placed.start, edit: placed.edit };
  });
  if (is.value !== spliceText(block.text, edits)) throw refuse(file, besideFault);
  proveTexts(file, { before: block.text, after: is.value, edits, inBlock: true });
  return edits.length;
}

function spliceText(text: string, edits: readonly PlacedEdit[]): string {
  const parts: string[] = [];
  let position = 0;
  for (const { start, end, edit } of edits) {
    parts.push(text.slice(position, start), edit.newText);
    position = end;
  }
  return parts.join('') + text.slice(position);
}

function proveValue(file: string, edit: Edit, is: Trace): void {
  const plain = is.scalar !== undefined && styleOf(is.scalar) === 'plain';
  const string = typeof is.value === 'string' && !(plain && readsAsOtherType(is.value)) && !isOtherType(is.scalar?.tag);
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
  return parsed.documents.flatMap((document) => traceNodes(document.contents, text));
}

function traceNodes(root: unknown, text: string): Trace[] {
  const traces: Trace[] = [];
  const stack: { readonly node: unknown; readonly inKey: boolean }[] = [{ node: root, inKey: false }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { node, inKey } = step;
    if (isPair(node)) stack.push({ node: node.value, inKey }, { node: node.key, inKey: true });
    else {
      const trace = traceNode(node, text);
      // A key has no place: no edit can be about it.
      traces.push(inKey ? { ...trace, start: -1 } : trace);
      if (isCollection(node)) for (const item of [...node.items].reverse()) stack.push({ node: item, inKey });
    }
  }
  return traces;
}

function traceNode(node: unknown, text: string): Trace {
  const none = { value: undefined, start: -1, scalar: undefined };
  if (isAlias(node)) return { ...none, shape: `alias ${node.source}` };
  if (isCollection(node)) {
    const shape = `${isMap(node) ? 'map' : 'seq'} ${node.flow === true} ${node.anchor} ${node.tag}`;
    return { ...none, shape, value: node.items.length };
  }
  if (!isScalar(node)) return { ...none, shape: 'nothing' };
  const scalar = node as Scalar.Parsed;
  const shape = `scalar ${scalar.anchor} ${scalar.tag}`;
  return { shape, value: scalar.value, start: startOf(scalar, text), scalar };
}

/** The edits by their place in UTF-16 units, which is how the nodes of a text are counted. */
function placeEdits(text: string, edits: readonly Edit[]): PlacedEdit[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let chars = 0;
  let position = 0;
  return [...edits]
    .sort((a, b) => a.start - b.start)
    .map((edit) => {
      chars += decoder.decode(bytes.subarray(position, edit.start)).length;
      position = edit.start;
      return { start: chars, end: chars + edit.oldText.length, edit };
    });
}

function refuse(file: string, found: string): TallymanError {
  return new TallymanError(
    'EditRefused',
    `Cannot edit file "${file}": ${found}, only the planned values were to change`,
    { place: { file } },
  );
}
