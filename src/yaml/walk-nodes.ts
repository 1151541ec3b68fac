/** Visits what a parsed document holds, in the order of the text and without recursion, so that depth costs no stack. */
import { type Alias, type Document, isAlias, isMap, isPair, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml';
import type { PathStep } from './parse-path.ts';
import { isLiteral, textOf } from './scalar-source.ts';

/** Where a node stands: its key or index, and the link of what holds it. Shared by all that stand below, so depth costs no memory. */
export interface PathLink {
  readonly step: PathStep;
  readonly up: PathLink | undefined;
  /** Whether the file says the key letter by letter, without escapes; so for every index. */
  readonly literal: boolean;
}

/** One value in a document: not a key, not an alias. */
export interface ScalarPlace {
  readonly node: Scalar.Parsed;
  /** Undefined where the value is the whole document. */
  readonly link: PathLink | undefined;
  /** The map that holds it directly; undefined in a sequence or at the root. */
  readonly parent: YAMLMap.Parsed | undefined;
  readonly inFlow: boolean;
}

/** One map in a document. */
export interface MapPlace {
  readonly node: YAMLMap.Parsed;
  readonly link: PathLink | undefined;
}

interface Visitor {
  scalar(place: ScalarPlace): void;
  map?(place: MapPlace): void;
  alias?(node: Alias.Parsed): void;
}

interface Step {
  readonly node: unknown;
  readonly link: PathLink | undefined;
  readonly parent: YAMLMap.Parsed | undefined;
  readonly inFlow: boolean;
}

/** Shows the visitor every map, value and alias of the document; a map before what is in it. */
export function walkNodes(document: Document.Parsed, visitor: Visitor): void {
  const stack: Step[] = [{ node: document.contents, link: undefined, parent: undefined, inFlow: false }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    const { node, link } = step;
    if (isScalar(node)) {
      visitor.scalar({ node: node as Scalar.Parsed, link, parent: step.parent, inFlow: step.inFlow });
    } else if (isAlias(node)) {
      visitor.alias?.(node as Alias.Parsed);
    } else if (isMap(node)) {
      visitor.map?.({ node: node as YAMLMap.Parsed, link });
      pushPairs(stack, step, node as YAMLMap.Parsed);
    } else if (isSeq(node)) {
      const inFlow = step.inFlow || node.flow === true;
      for (let index = node.items.length - 1; index >= 0; index -= 1) {
        const item = node.items[index];
        const inner = { step: index, up: link, literal: true };
        stack.push({ node: isPair(item) ? item.value : item, link: inner, parent: undefined, inFlow });
      }
    }
  }
}

function pushPairs(stack: Step[], step: Step, parent: YAMLMap.Parsed): void {
  const inFlow = step.inFlow || parent.flow === true;
  for (let index = parent.items.length - 1; index >= 0; index -= 1) {
    const pair = parent.items[index];
    if (pair === undefined) continue;
    const link = { step: formatKey(pair.key), up: step.link, literal: isLiteralKey(pair.key) };
    stack.push({ node: pair.value, link, parent, inFlow });
  }
}

/** Keys and indexes from the document's root. `['spec', 'containers', 0, 'image']` */
export function pathOf(link: PathLink | undefined): readonly PathStep[] {
  const path: PathStep[] = [];
  for (let at = link; at !== undefined; at = at.up) path.push(at.step);
  return path.reverse();
}

/** `spec.containers[0].image`, as parse-path.ts reads it back. */
export function formatPath(path: readonly PathStep[]): string {
  return path.map((part, index) => formatStep(part, index === 0)).join('');
}

/** Whether a key of a map says exactly this, letter by letter. */
export function isLiteralKey(key: unknown): boolean {
  return isScalar(key) && isLiteral(key as Scalar.Parsed);
}

function formatStep(part: PathStep, first: boolean): string {
  if (typeof part === 'number') return `[${part}]`;
  if (part === '' || /[.[\]"]/.test(part)) return `["${part.replace(/["\\]/g, '\\$&')}"]`;
  return first ? part : `.${part}`;
}

/** A key as text; `?` for one that is no scalar. */
export function formatKey(key: unknown): string {
  if (isScalar(key)) return textOf(key as Scalar.Parsed);
  return isAlias(key) ? `*${key.source}` : '?';
}
