/** Reads YAML text that anybody may have written: guards first, then parses, and keeps every position. */
import { Composer, type CST, type Document, LineCounter, Parser } from 'yaml';
import type { Problem } from '../error/problem.ts';
import { createProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { type MarkedComment, scanLexemes } from './scan-lexemes.ts';

/** A parsed file. Documents with syntax errors are in `problems`, not in `documents`. */
export interface YamlFile {
  readonly text: string;
  readonly documents: readonly Document.Parsed[];
  /** One `FileUnreadable` for each document that is not valid YAML. */
  readonly problems: readonly Problem[];
  /** Comments that hold an image policy marker, in order. */
  readonly comments: readonly MarkedComment[];
  /** Line and column, from 1, of an offset in UTF-16 units. */
  readonly placeOf: (offset: number) => { line: number; column: number };
}

/**
 * The documents of a YAML text, with errors as problems at their place; throws `FileUnreadable` where the text is past a
 * limit (nesting deeper than 100 levels) and so not looked into at all.
 *
 * Keys that stand twice are left alone (the parser's own check is quadratic); values keep their source text.
 */
export function readYaml(text: string, file: string): YamlFile {
  const lines = new LineCounter();
  const lexemes = scanLexemes(text);
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (lexemes.tooDeepAt !== undefined) {
    const line = text.slice(0, lexemes.tooDeepAt).split('\n').length;
    throw new TallymanError(
      'FileUnreadable',
      `Cannot read file "${file}": it is nested deeper than ${lexemes.maxDepth} levels, which is the limit`,
      { place: { file, line } },
    );
  }
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'error', strict: true });
  const all = [...composer.compose(parseLexemes(lexemes.lexemes, lines))];
  const broken = all.filter((document) => document.errors.length > 0);
  const problems = broken.flatMap((document) => {
    const first = document.errors[0];
    if (first === undefined) return [];
    const found = first.message.replace(/\s+/g, ' ').slice(0, 200);
    return [
      createProblem('FileUnreadable', `Cannot read file "${file}" as YAML: ${found}`, {
        place: { file, ...placeOf(first.pos[0]) },
      }),
    ];
  });
  const documents = all.filter((document) => document.errors.length === 0);
  return { text, documents, problems, comments: lexemes.comments, placeOf };
}

/** What the parser makes of lexemes that are there already: lexing is a fifth of the work, and is done once. */
function* parseLexemes(lexemes: readonly string[], lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of lexemes) yield* parser.next(lexeme);
  yield* parser.end();
}
