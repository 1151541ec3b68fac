/** Reads a body to its end or to a limit, unpacked. */
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';

/** The codings that are undone though none was asked for (RFC 9110, section 8.4.1). */
const packings: readonly string[] = ['gzip', 'x-gzip', 'deflate'];

/** Whether bodies with this Content-Encoding can be read. */
export function isReadable(encoding: string): boolean {
  return encoding === 'identity' || packings.includes(encoding);
}

/** Whether reading a body failed because what came is not packed as it says. */
export function isBadlyPacked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

/**
 * The body's bytes, unpacked, and whether there are more than `maxBytes` of them; then the rest is neither read nor
 * unpacked, and `bytes` holds the first `maxBytes`. Throws what the stream or zlib throws (codes `Z_…`).
 */
export async function readBody(
  stream: Readable,
  { encoding, maxBytes }: { encoding: string; maxBytes: number },
): Promise<{ bytes: Buffer; isTooLong: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early ends the stream with an error event of its own.
  stream.on('error', () => {});
  try {
    for await (const chunk of packings.includes(encoding) ? unpack(stream, encoding) : stream) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) break;
    }
  } finally {
    stream.destroy();
  }
  return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), isTooLong: size > maxBytes };
}

/** Unpacks no faster than it is read, so a small body that unpacks to a huge one costs no more than the limit. */
async function* unpack(stream: Readable, encoding: string): AsyncGenerator<Buffer> {
  const source: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  const first = await source.next();
  // Servers mark empty bodies as packed, too.
  if (first.done === true) return;
  const start = first.value;
  async function* restart(): AsyncGenerator<Buffer> {
    yield start;
    yield* { [Symbol.asyncIterator]: () => source };
  }
  const unpacked = createUnpacker(encoding, start);
  pipeline(restart, unpacked, () => {});
  yield* unpacked;
}

/** "deflate" is zlib's format, but some servers send it without its header: RFC 9110, section 8.4.1.2, note. */
function createUnpacker(encoding: string, start: Buffer): ReturnType<typeof createGunzip> {
  if (encoding !== 'deflate') return createGunzip();
  return ((start[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw();
}
