import { RE2JS } from 're2js';
import { TallymanError } from '../error/tallyman-error.ts';

/** A compiled pattern that runs in time linear in the text, whoever wrote it. */
export interface Pattern {
  readonly source: string;
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean;
  /** What the groups of the first match hold, by number and by name; undefined where the pattern does not match. */
  match(text: string): ReadonlyMap<string, string> | undefined;
  readonly groupNames: readonly string[];
}

const maxPatternChars = 1000;
/** Compiled instructions: what a match costs per character. `\w{1000}` has some 1,000. */
const maxProgramSize = 5000;

/**
 * The pattern in RE2 syntax; throws `PolicyInvalid` for what RE2 refuses (look-around, back-references, huge repeats).
 * Source: the RE2 syntax as implemented by re2js.
 */
export function parsePattern(source: string): Pattern {
  if (source.length > maxPatternChars) {
    throw invalid(source, `it has ${source.length} characters, at most ${maxPatternChars} are allowed`);
  }
  const compiled = compile(source);
  if (compiled.programSize() > maxProgramSize) {
    throw invalid(
      source,
      `it compiles to ${compiled.programSize()} instructions, at most ${maxProgramSize} are allowed`,
    );
  }
  const groups = new Map(Object.entries(compiled.namedGroups()));
  return {
    source,
    test: (text) => compiled.test(text),
    match(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      const numbers = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => [`${index}`, index] as const);
      return new Map([...numbers, ...groups].map(([name, index]) => [name, matcher.group(index) ?? '']));
    },
    groupNames: [...groups.keys()],
  };
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message.replace(/^error parsing regexp: /, '') : String(cause);
    throw invalid(source, `${found}, a pattern in RE2 syntax was wanted`, cause);
  }
}

function invalid(source: string, found: string, cause?: unknown): TallymanError {
  const shown = source.length > 80 ? `${source.slice(0, 77)}...` : source;
  return new TallymanError('PolicyInvalid', `Cannot use pattern ${JSON.stringify(shown)}: ${found}`, {
    cause,
    remedy: 'Write the pattern in RE2 syntax, without look-around and back-references.',
  });
}
