import { RE2JS } from 're2js';
import { TallymanError } from '../error/tallyman-error.ts';
import { expandTemplate } from './expand-template.ts';

/** A compiled pattern that runs in time linear in the text, whoever wrote it. */
export interface Pattern {
  readonly source: string;
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean;
  /** What the template makes of the first match, see expand-template.ts; undefined where the pattern does not match. */
  expand(text: string, template: string): string | undefined;
  readonly groupNames: readonly string[];
}

const maxPatternChars = 1000;
/** Compiled instructions: what a match costs per character. `[0-9a-f]{40}` has some 40, and a registry may have 100,000 tags. */
const maxProgramSize = 500;

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
    expand(text, template) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      return expandTemplate(template, (name) => {
        const group = groups.get(name) ?? (/^[0-9]+$/.test(name) ? Number(name) : undefined);
        return group === undefined || group > matcher.groupCount() ? '' : (matcher.group(group) ?? '');
      });
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
