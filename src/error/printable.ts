/**
 * The text with everything that would break a line, move a terminal's cursor or turn its direction written as `\u…`, and
 * cut after `maxChars`: for text from files, registries and servers on its way to people.
 *
 * @example
 * printable('a\nb') // 'a\\u000ab'
 */
export function printable(text: string, maxChars = 2000): string {
  const safe = text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return safe.length > maxChars ? `${safe.slice(0, maxChars - 1)}…` : safe;
}
