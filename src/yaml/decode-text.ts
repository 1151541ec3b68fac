import { TallymanError } from '../error/tallyman-error.ts';

/** Largest YAML file that is looked into; larger ones are reported, never cut. */
export const maxYamlBytes = 1024 * 1024;

/** The file's bytes as text, a byte order mark kept; throws `FileUnreadable` for what is too large, binary or not UTF-8. */
export function decodeText(bytes: Uint8Array, file: string): string {
  if (bytes.length > maxYamlBytes) {
    throw unreadable(file, `it has ${bytes.length} bytes, at most ${maxYamlBytes} are read`);
  }
  if (bytes.includes(0)) throw unreadable(file, 'it is a binary file (it holds a zero byte), UTF-8 text was wanted');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(file, 'its bytes are not valid UTF-8, UTF-8 text was wanted', cause);
  }
}

function unreadable(file: string, found: string, cause?: unknown): TallymanError {
  return new TallymanError('FileUnreadable', `Cannot read file "${file}": ${found}`, { place: { file }, cause });
}
