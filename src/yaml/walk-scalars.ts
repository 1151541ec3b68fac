import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml';

/** How a scalar is written; `block` stands for the literal and folded styles. */
export type ScalarStyle = 'plain' | 'single' | 'double' | 'block';

/** One value in a document: not a key, not an alias. */
export interface ScalarPlace {
  readonly node: Scalar.Parsed;
  /** Keys and indexes from the document's root. `['spec', 'containers', 0, 'image']` */
  readonly path: readonly (string | number)[];
  /** The map that holds it directly; undefined in a sequence or at the root. */
  readonly parent: YAMLMap.Parsed | undefined;
  readonly inFlow: boolean;
}

interface Step {
  readonly node: unknown;
  readonly path: readonly (string | number)[];
  readonly parent: YAMLMap.Parsed | undefined;
  readonly inFlow: boolean;
}

/** Every value of the document in the order of the text. Recursion-free, so that depth costs no stack. */
export function* walkScalars(document: Document.Parsed): Generator<ScalarPlace> {
  const stack: Step[] = [{ node: document.contents, path: [], parent: undefined, inFlow: false }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { node, path } = step;
    if (isScalar(node)) {
      yield { ...step, node: node as Scalar.Parsed };
    } else if (isMap(node)) {
      const parent = node as YAMLMap.Parsed;
      const inFlow = step.inFlow || parent.flow === true;
      for (const pair of [...parent.items].reverse()) {
        stack.push({ node: pair.value, path: [...path, formatKey(pair.key)], parent, inFlow });
      }
    } else if (isSeq(node)) {
      const inFlow = step.inFlow || node.flow === true;
      for (let index = node.items.length - 1; index >= 0; index -= 1) {
        const item = node.items[index];
        stack.push({ node: isPair(item) ? item.value : item, path: [...path, index], parent: undefined, inFlow });
      }
    }
  }
}

/** The value as text: what a string holds, and for numbers, booleans and nulls what the file says (`1.10`, not 1.1). */
export function textOf(node: Scalar.Parsed): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? '');
}

/** How the scalar is written in the file. */
export function styleOf(node: Scalar.Parsed): ScalarStyle {
  if (node.type === 'QUOTE_SINGLE') return 'single';
  if (node.type === 'QUOTE_DOUBLE') return 'double';
  return node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED' ? 'block' : 'plain';
}

/** `spec.containers[0].image`, as parse-path.ts reads it back. */
export function formatPath(path: readonly (string | number)[]): string {
  return path.map((part, index) => formatStep(part, index === 0)).join('');
}

function formatStep(part: string | number, first: boolean): string {
  if (typeof part === 'number') return `[${part}]`;
  if (part === '' || /[.[\]"]/.test(part)) return `["${part.replace(/["\\]/g, '\\$&')}"]`;
  return first ? part : `.${part}`;
}

function formatKey(key: unknown): string {
  if (isScalar(key)) return textOf(key as Scalar.Parsed);
  return isAlias(key) ? `*${key.source}` : '?';
}
