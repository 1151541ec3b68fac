import { Lexer } from 'yaml';

/** A comment that holds a marker, and the scalars that end on its line before it. */
export interface MarkedComment {
  /** Offset of the `#`, in UTF-16 units. */
  readonly offset: number;
  /** From the `#` to the end of the line. */
  readonly text: string;
  /** Start offsets of the scalars on that line, left to right. */
  readonly scalarOffsets: readonly number[];
}

interface LexemeScan {
  /** The first limit that the text is past, and where; undefined where it is within all of them. */
  readonly excess: { readonly offset: number; readonly found: string } | undefined;
  readonly comments: readonly MarkedComment[];
  readonly lexemes: readonly string[];
}

/** Text that a marker comment must hold; shared with the byte filter. */
export const markerNeedle = '$imagepolicy';

/** Bounds on what parsing costs: nesting, documents, and values with the marks that open or part them. */
const maxDepth = 100;
const maxDocuments = 2000;
const maxNodes = 250_000;
/** The lexer's zero-width signs: document start, end of a broken flow collection, "a plain scalar follows". */
const documentSign = '\u0002';
const flowErrorSign = '\u0018';
const scalarSign = '\u001f';

/** One linear pass over the lexemes, which never fails: limits and marker comments. */
export function scanLexemes(text: string): LexemeScan {
  const lexemes: string[] = [];
  const markers = createMarkerCollector();
  const meter = createExcessMeter();
  let offset = 0;
  let scalarFollows = false;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes.push(lexeme);
    if (lexeme === documentSign) meter.addDocument();
    if (lexeme === scalarSign) scalarFollows = true;
    if (lexeme === documentSign || lexeme === flowErrorSign || lexeme === scalarSign) continue;
    markers.add(lexeme, scalarFollows, offset);
    const found = meter.add(lexeme, scalarFollows);
    if (found !== undefined) return { excess: { offset, found }, comments: markers.comments, lexemes };
    scalarFollows = false;
    offset += lexeme.length;
  }
  return { excess: undefined, comments: markers.comments, lexemes };
}

function createMarkerCollector(): {
  comments: MarkedComment[];
  add(lexeme: string, isScalar: boolean, offset: number): void;
} {
  const comments: MarkedComment[] = [];
  let scalarOffsets: number[] = [];
  return {
    comments,
    add(lexeme, isScalar, offset) {
      if (isScalar || lexeme[0] === '"' || lexeme[0] === "'") scalarOffsets.push(offset);
      else if (lexeme[0] === '\n' || lexeme === '\r\n') scalarOffsets = [];
      else if (lexeme[0] === '#' && lexeme.includes(markerNeedle))
        comments.push({ offset, text: lexeme, scalarOffsets });
    },
  };
}

/** First characters of lexemes that are a value, open one or part two. */
const nodeSigns: ReadonlySet<string | undefined> = new Set(['"', "'", '*', '[', '{', ',', '?', '-']);

/** Counts documents, nodes and depth; `add` says what is too much. */
function createExcessMeter(): { addDocument(): void; add(lexeme: string, isScalar: boolean): string | undefined } {
  const depth = createDepthMeter();
  let documents = 0;
  let nodes = 0;
  return {
    addDocument() {
      documents += 1;
    },
    add(lexeme, isScalar) {
      if (isScalar || nodeSigns.has(lexeme[0])) nodes += 1;
      return describeExcess({ depth: depth.add(lexeme, isScalar), documents, nodes });
    },
  };
}

function describeExcess({
  depth,
  documents,
  nodes,
}: {
  depth: number;
  documents: number;
  nodes: number;
}): string | undefined {
  if (depth > maxDepth) return `it is nested deeper than ${maxDepth} levels, which is the limit`;
  if (documents > maxDocuments) return `it has more than ${maxDocuments} documents, which is the limit`;
  return nodes > maxNodes ? `it has more than ${maxNodes} values, which is the limit` : undefined;
}

/** First characters of lexemes that are space alone; none for the empty one. */
const blanks: ReadonlySet<string | undefined> = new Set([' ', '\t', undefined]);

/** Counts nesting: open flow collections, plus the columns at which block collections are open. */
function createDepthMeter(): { add(lexeme: string, isScalar: boolean): number } {
  const columns: number[] = [];
  let flow = 0;
  let column = 0;
  let atNodeStart = true;
  const enter = () => {
    while (columns.length > 0 && (columns.at(-1) ?? 0) >= column) columns.pop();
    columns.push(column);
    atNodeStart = false;
  };
  return {
    add(lexeme, isScalar) {
      const newline = lexeme.lastIndexOf('\n');
      const blank = !isScalar && blanks.has(lexeme[0]);
      if (!blank && newline === -1 && atNodeStart && flow === 0) enter();
      if (!isScalar && (lexeme === '[' || lexeme === '{')) flow += 1;
      if (!isScalar && (lexeme === ']' || lexeme === '}')) flow -= 1;
      if (newline !== -1) {
        column = lexeme.length - newline - 1;
        atNodeStart = true;
      } else {
        column += lexeme.length;
        if (!isScalar && (lexeme === '-' || lexeme === '?')) atNodeStart = true;
      }
      return columns.length + Math.max(0, flow);
    },
  };
}
