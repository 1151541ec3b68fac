/** Writes a value as YAML text in the style it had, quoted where it would otherwise be read as something else. */
import type { ScalarStyle } from '../yaml/scalar-source.ts';

/**
 * The value as YAML source, behind a blank where nothing stood before. Plain stays plain only if every reader, of YAML 1.1
 * or 1.2, takes it for a string.
 *
 * @example
 * quoteScalar('1.10', { style: 'plain', inFlow: false }) // '"1.10"'
 */
export function quoteScalar(value: string, written: { readonly style: ScalarStyle; readonly inFlow: boolean }): string {
  if (written.style === 'empty') return ` ${quoteScalar(value, { ...written, style: 'plain' })}`;
  if (written.style === 'single' && !unprintable.test(value)) return `'${value.replaceAll("'", "''")}'`;
  if (written.style === 'plain' && isPlainString(value, written.inFlow)) return value;
  return JSON.stringify(value);
}

/** What single quotes cannot hold or would fold. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u;

/** Characters that a plain scalar of ours may hold: those of tags, digests and references; others are quoted. */
const plainCharacters = /^[A-Za-z0-9_][A-Za-z0-9_./@:=+-]*$/;

/** Whether the text, unquoted, is one string for every YAML reader. */
function isPlainString(value: string, inFlow: boolean): boolean {
  if (!plainCharacters.test(value) || value.endsWith(':')) return false;
  if (inFlow && value.includes('::')) return false;
  return !readsAsOtherType(value);
}

const words = /^(?:y|yes|n|no|true|false|on|off|null|~)$/i;
/** YAML 1.1 lets `_` stand between digits, and for them (`0x_`); 1.2 and Go's readers know `0o`, `0x` and `0b`. */
const integer = /^[-+]?(?:0[bB][-+]?[01]*|0[oO][-+]?[0-7]*|0[xX][-+]?[0-9a-fA-F]*|[0-9]+)$/;
/** Some readers of 1.1 take an exponent alone (`e0`) for a number. */
const float = /^[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$/;
/** `.inf`, `.nan`; a bare `nan` is a string. */
const special = /^[-+]?\.(?:inf|nan)$/i;
/** YAML 1.1 sexagesimal numbers, `1:20`. */
const sexagesimal = /^[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?$/;
const timestamp = /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*:.*)?$/;

/** Whether an unquoted text is a boolean, null, number or date to some YAML reader. Sources: YAML 1.1 type repository, YAML 1.2 core schema, go-yaml's resolver. */
export function readsAsOtherType(value: string): boolean {
  const digits = /^[-+.0-9]/.test(value) ? value.replaceAll('_', '') : value;
  return (
    words.test(value) ||
    integer.test(digits) ||
    float.test(digits) ||
    special.test(value) ||
    sexagesimal.test(digits) ||
    timestamp.test(value) ||
    value === '<<' ||
    value === '='
  );
}
