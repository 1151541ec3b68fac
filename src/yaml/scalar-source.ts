/** How a value stands in the file, as the parser's node tells it. */
import type { Scalar } from 'yaml';

/** `block` stands for the literal and folded styles; `empty` for no text at all, as in `tag:`. */
export type ScalarStyle = 'plain' | 'single' | 'double' | 'block' | 'empty';

/** The value as text: what a string holds, and for numbers, booleans and nulls what the file says (`1.10`, not 1.1). */
export function textOf(node: Scalar.Parsed): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? '');
}

/** How the scalar is written in the file. */
export function styleOf(node: Scalar.Parsed): ScalarStyle {
  if (node.type === 'QUOTE_SINGLE') return 'single';
  if (node.type === 'QUOTE_DOUBLE') return 'double';
  if (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED') return 'block';
  return node.range[0] === node.range[1] ? 'empty' : 'plain';
}

/** Where the scalar starts; for an empty one the place right behind what it belongs to (`tag:`), before any blanks. */
export function startOf(node: Scalar.Parsed, text: string): number {
  let start = node.range[0];
  if (styleOf(node) !== 'empty') return start;
  while (start > 0 && (text[start - 1] === ' ' || text[start - 1] === '\t')) start -= 1;
  return start;
}

/** Whether the file says the value letter by letter: no escapes, not folded over lines. */
export function isLiteral(node: Scalar.Parsed): boolean {
  const style = styleOf(node);
  if (style === 'block') return false;
  const quotes = style === 'single' || style === 'double' ? 2 : 0;
  return node.range[1] - node.range[0] - quotes === textOf(node).length;
}
