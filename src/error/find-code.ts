/**
 * The code of an error of Node's or of a library's, or that of the nearest cause with one; undefined where none has.
 *
 * @example
 * findCode(new Error('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNRESET' }) })) // 'ECONNRESET'
 */
export function findCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : findCode(error.cause);
}
