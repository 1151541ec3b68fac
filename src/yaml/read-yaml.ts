/** Reads YAML text that anybody may have written: guards first, then parses, and keeps every position. */
import { Composer, type CST, type Document, LineCounter, Parser, type YAMLParseError } from 'yaml';
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
 * limit (nested deeper than 100 levels, more than 2,000 documents or 250,000 values) and so not looked into at all.
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
  const { excess } = lexemes;
  if (excess !== undefined) throw refuse(text, file, excess);
  const { documents: all, unread } = composeDocuments(
    parseLexemes(lexemes.lexemes, lines, (offset) => refuse(text, file, { offset, found: tangled })),
  );
  const report = ({ message, pos }: Fault) => {
    const found = message.replace(/\s+/g, ' ').slice(0, 200);
    const place = { file, ...placeOf(pos[0]) };
    return createProblem('FileUnreadable', `Cannot read file "${file}" as YAML: ${found}`, { place });
  };
  const faults = [...all.map((document) => document.errors[0]), unread].filter((fault) => fault !== undefined);
  const documents = all.filter((document) => document.errors.length === 0);
  return { text, documents, problems: faults.map(report), comments: lexemes.comments, placeOf };
}

type Fault = Pick<YAMLParseError, 'message' | 'pos'>;

/** Faults after which a file is not read on: each costs memory, and a text of a megabyte can hold a million. */
const maxFaults = 20;

/** The documents up to the one in which the faults become too many, and that one's first fault. */
function composeDocuments(tokens: Iterable<CST.Token>): { documents: Document.Parsed[]; unread: Fault | undefined } {
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'error', strict: true });
  const documents: Document.Parsed[] = [];
  const stop = new Error('too many faults');
  let faults = 0;
  let first: Fault | undefined;
  const onError: ComposeErrorHandler = Reflect.get(composer, 'onError');
  // The composer has no limit of its own: this watches each fault as it is added.
  Reflect.set(composer, 'onError', (...[source, code, message, warning]: Parameters<ComposeErrorHandler>) => {
    onError(source, code, message, warning);
    if (warning === true) return;
    first ??= {
      message,
      pos:
        typeof source === 'number'
          ? [source, source + 1]
          : Array.isArray(source)
            ? [source[0], source[1]]
            : [source.offset, source.offset],
    };
    faults += 1;
    if (faults > maxFaults) throw stop;
  });
  try {
    for (const document of composer.compose(tokens)) {
      documents.push(document);
      first = undefined;
    }
    return { documents, unread: undefined };
  } catch (error) {
    if (error !== stop) throw error;
    return { documents, unread: first };
  }
}

type ComposeErrorHandler = (
  source: number | [number, number] | { readonly offset: number },
  code: string,
  message: string,
  warning?: boolean,
) => void;

const tangled = 'its structure is too tangled to be read, plain YAML was wanted';
/** The parser keeps what is open on a stack, on which broken lines pile up without end; what is valid stays far below. */
const maxOpenTokens = 1000;

/** What the parser makes of lexemes that are there already: lexing is a fifth of the work, and is done once. */
function* parseLexemes(
  lexemes: readonly string[],
  lines: LineCounter,
  tooTangled: (offset: number) => TallymanError,
): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  const open: { readonly length: number } = Reflect.get(parser, 'stack');
  lines.addNewLine(0);
  for (const lexeme of lexemes) {
    yield* parser.next(lexeme);
    if (open.length > maxOpenTokens) throw tooTangled(Reflect.get(parser, 'offset'));
  }
  yield* parser.end();
}

function refuse(text: string, file: string, { offset, found }: { offset: number; found: string }): TallymanError {
  const line = text.slice(0, offset).split('\n').length;
  return new TallymanError('FileUnreadable', `Cannot read file "${file}": ${found}`, { place: { file, line } });
}
