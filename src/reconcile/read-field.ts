/** Fields of objects that anybody may have written: nothing is trusted to be of the type that their schemas have. */
import { printable } from '../error/printable.ts';

const maxTextChars = 2048;
const maxMessageChars = 500;
const maxItems = 100;

/**
 * What stands at the path; undefined where the way there is none.
 *
 * @example
 * readField({ spec: { ref: { branch: 'main' } } }, 'spec', 'ref', 'branch') // 'main'
 */
export function readField(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || Array.isArray(found) || !Object.hasOwn(found, key))
      return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/**
 * The text at the path; undefined where there is none, or more than any of these fields holds.
 *
 * @example
 * readText({ spec: { path: './apps' } }, 'spec', 'path') // './apps'
 */
export function readText(value: unknown, ...path: readonly string[]): string | undefined {
  const found = readField(value, ...path);
  return typeof found === 'string' && found.length <= maxTextChars ? found : undefined;
}

/**
 * What is said there to people, safe to show and not long; empty where nothing is.
 *
 * @example
 * readMessage({ message: 'a\nb' }, 'message') // 'a\\u000ab'
 */
export function readMessage(value: unknown, ...path: readonly string[]): string {
  const found = readField(value, ...path);
  return typeof found === 'string' ? printable(found.slice(0, maxTextChars), maxMessageChars) : '';
}

/**
 * The items at the path, no more than a hundred; none where there is no list.
 *
 * @example
 * readItems({ sources: ['a'] }, 'sources') // ['a']
 */
export function readItems(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = readField(value, ...path);
  return Array.isArray(found) ? found.slice(0, maxItems) : [];
}
