/** Text inside a literal block scalar (`|`), and where each of its characters stands in the file. */
import type { Scalar } from 'yaml';

/** The text of one literal block scalar: the file's lines without their indentation. */
export interface BlockText {
  readonly text: string;
  /** Where a character of the block's text stands in the text around it. */
  outerOf(offset: number): number;
  /** The other way; undefined where that place is indentation, a line's end or outside. */
  innerOf(offset: number): number | undefined;
}

/**
 * The block's text with its places; undefined where the scalar is not a literal block, or a line of it is not found in the
 * file as it is. Each line's end is compared, so the indentation need not be known. Source: YAML 1.2, 8.1.
 */
export function findBlockText(outer: string, node: Scalar.Parsed): BlockText | undefined {
  const text = node.value;
  if (node.type !== 'BLOCK_LITERAL' || typeof text !== 'string') return undefined;
  const innerStarts: number[] = [];
  const outerStarts: number[] = [];
  let inner = 0;
  let lineStart = outer.indexOf('\n', node.range[0]) + 1;
  for (const line of text.split('\n')) {
    const newline = outer.indexOf('\n', lineStart);
    const lineEnd = newline === -1 ? outer.length : newline;
    const end = lineEnd > lineStart && outer[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd;
    if (line !== '' && (lineEnd > node.range[1] || !outer.slice(lineStart, end).endsWith(line))) return undefined;
    innerStarts.push(inner);
    outerStarts.push(end - line.length);
    inner += line.length + 1;
    lineStart = lineEnd + 1;
  }
  return {
    text,
    outerOf(offset) {
      const line = findLine(innerStarts, offset);
      return (outerStarts[line] ?? 0) + offset - (innerStarts[line] ?? 0);
    },
    innerOf(offset) {
      const line = findLine(outerStarts, offset);
      const column = offset - (outerStarts[line] ?? 0);
      const end = (innerStarts[line + 1] ?? text.length + 1) - 1;
      const found = (innerStarts[line] ?? 0) + column;
      return column < 0 || found > end ? undefined : found;
    },
  };
}

/** The last line that starts at or before the offset; the first where none does. */
function findLine(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
