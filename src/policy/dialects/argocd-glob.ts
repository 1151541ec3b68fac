import { TallymanError } from '../../error/tallyman-error.ts';
import { parsePattern } from '../pattern.ts';
import { showText } from './argocd-fields.ts';

const never = '[^\\x00-\\x{10FFFF}]';
const maxGlobChars = 300;
// One item of a glob: a star, a question mark, a class, an escaped character or a plain one.
const item = /(\*)|(\?)|\[(\^|(?!\^))((?:(?:\\.|[^\]\\-])(?:-(?:\\.|[^\]\\-]))?)+)\]|\\(.)|([^\\[])/suy;
const range = /(\\.|[^\\-])(?:-(\\.|[^\\-]))?/gsu;

/**
 * The RE2 pattern that matches the same whole texts as a glob of Go's `path.Match`: `*` and `?` stop at `/`, `[^a-c]` is
 * a negated class (`[!a]` is not: Go has `!` for a character), `\x` is x itself. Throws `PolicyInvalid` for a malformed one.
 *
 * @example
 * translateGoGlob('*-rc?') // '^(?s:[^/]*-rc[^/])$'
 */
export function translateGoGlob(glob: string): string {
  if (glob.length > maxGlobChars)
    throw invalid(glob, `it has ${glob.length} characters, at most ${maxGlobChars} are allowed`);
  let body = '';
  for (let position = 0; position < glob.length; position = item.lastIndex) {
    item.lastIndex = position;
    const match = item.exec(glob);
    if (match === null) throw invalid(glob, `"${glob.slice(position, position + 20)}" is malformed`);
    body += translateItem(match);
  }
  const pattern = `^(?s:${body})$`;
  parsePattern(pattern);
  return pattern;
}

function translateItem([, star, question, negation, set, escaped, plain]: RegExpExecArray): string {
  if (star !== undefined) return '[^/]*';
  if (question !== undefined) return '[^/]';
  return set === undefined ? quote(escaped ?? plain ?? '') : translateClass(negation === '^', set);
}

/** A range that runs backwards holds nothing, as in Go. */
function translateClass(negated: boolean, set: string): string {
  const ranges = [...set.matchAll(range)].flatMap(([, from = '', to = from]) => {
    const [low, high] = [takeEscape(from), takeEscape(to)];
    const backwards = (low.codePointAt(0) ?? 0) > (high.codePointAt(0) ?? 0);
    return backwards ? [] : [low === high ? quoteInClass(low) : `${quoteInClass(low)}-${quoteInClass(high)}`];
  });
  if (ranges.length === 0) return negated ? '(?s:.)' : never;
  return `[${negated ? '^' : ''}${ranges.join('')}]`;
}

function takeEscape(text: string): string {
  return text.startsWith('\\') ? text.slice(1) : text;
}

function quote(character: string): string {
  return character.replace(/[\\.+*?()|[\]{}^$]/, '\\$&');
}

/** In a class a dash has a meaning too. */
function quoteInClass(character: string): string {
  return character === '-' ? '\\-' : quote(character);
}

function invalid(glob: string, found: string): TallymanError {
  return new TallymanError(
    'PolicyInvalid',
    `Cannot use glob ${showText(glob)}: ${found}, a glob of Go's path.Match was wanted`,
  );
}
