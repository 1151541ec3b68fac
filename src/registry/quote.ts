/** Makes text that a registry wrote fit to stand in a message. */

/**
 * One line of at most `maxChars` characters, without control or invisible characters.
 *
 * @example
 * quote('no such\r\nrepository') // 'no such repository'
 */
export function quote(text: string, maxChars = 200): string {
  const line = text
    .slice(0, maxChars * 4)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length > maxChars ? `${line.slice(0, maxChars - 3)}...` : line;
}

/** The text with each secret, and the query of each URL (where signatures are), replaced by `…`. */
export function redact(text: string, secrets: readonly string[]): string {
  const bare = secrets
    .filter((secret) => secret !== '')
    .sort((left, right) => right.length - left.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
  return bare.replace(/\?[^\s"'<>]+/g, '?…');
}
