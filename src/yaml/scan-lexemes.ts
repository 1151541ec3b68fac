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
  readonly maxDepth: number;
  /** Where nesting first went past the limit; undefined where it never did. */
  readonly tooDeepAt: number | undefined;
  readonly comments: readonly MarkedComment[];
  /** The whole text in pieces, the lexer's signs among them: what the parser goes on with. */
  readonly lexemes: readonly string[];
}

/** Text that a marker comment must hold; shared with the byte filter. */
export const markerNeedle = '$imagepolicy';

const maxDepth = 100;
/** The lexer's zero-width signs: document start, end of a broken flow collection, "a plain scalar follows". */
const documentSign = '\u0002';
const flowErrorSign = '\u0018';
const scalarSign = '\u001f';

/** One linear pass over the lexemes, which never fails: nesting depth and marker comments. */
export function scanLexemes(text: string): LexemeScan {
  const comments: MarkedComment[] = [];
  const lexemes: string[] = [];
  const depth = createDepthMeter();
  let offset = 0;
  let scalarOffsets: number[] = [];
  let scalarFollows = false;
  let tooDeepAt: number | undefined;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes.push(lexeme);
    if (lexeme === documentSign || lexeme === flowErrorSign) continue;
    if (lexeme === scalarSign) {
      scalarFollows = true;
      continue;
    }
    if (scalarFollows || lexeme[0] === '"' || lexeme[0] === "'") scalarOffsets.push(offset);
    else if (lexeme[0] === '\n' || lexeme === '\r\n') scalarOffsets = [];
    else if (lexeme[0] === '#' && lexeme.includes(markerNeedle)) {
      comments.push({ offset, text: lexeme, scalarOffsets });
    }
    if (depth.add(lexeme, scalarFollows) > maxDepth) {
      tooDeepAt = offset;
      break;
    }
    scalarFollows = false;
    offset += lexeme.length;
  }
  return { maxDepth, tooDeepAt, comments, lexemes };
}

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
      const blank = !isScalar && /^[ \t]*$/.test(lexeme);
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
