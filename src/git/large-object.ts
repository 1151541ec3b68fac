/** Reads objects that are too large for one turn of the event loop, or even for memory. */
import { Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import { damaged } from './errors.ts';
import { startHash } from './object.ts';

const sliceBytes = 256 * 1024;

/** A zlib stream at the front of `data`, of `sizeBytes` bytes when inflated. */
interface LargeObject {
  readonly data: Buffer;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

/** The id of a blob that is not held in memory, and how long its zlib stream is; throws `RepoInvalid` where it has another size. */
export async function hashLargeBlob(blob: LargeObject): Promise<{ oid: string; packedBytes: number }> {
  const hash = startHash('blob', blob.sizeBytes);
  const packedBytes = await inflateInTurns(blob, (chunk) => {
    hash.update(chunk);
  });
  return { oid: hash.digest('hex'), packedBytes };
}

/** The object's bytes, and how long its zlib stream is; throws `RepoInvalid` where it has another size. */
export async function inflateLarge(object: LargeObject): Promise<{ body: Buffer; packedBytes: number }> {
  const body = Buffer.allocUnsafe(object.sizeBytes);
  let at = 0;
  const packedBytes = await inflateInTurns(object, (chunk) => {
    at += chunk.copy(body, at);
  });
  return { body, packedBytes };
}

/** Zlib's own threads do the work, chunk by chunk; gives the length of the stream. */
async function inflateInTurns(
  { data, sizeBytes, signal }: LargeObject,
  take: (chunk: Buffer) => void,
): Promise<number> {
  const inflater = createInflate({ chunkSize: 64 * 1024 });
  const source = Readable.from(cut(data));
  let bytes = 0;
  try {
    for await (const chunk of source.pipe(inflater)) {
      bytes += chunk.length;
      if (bytes > sizeBytes || signal.aborted) break;
      take(chunk);
    }
  } catch (cause) {
    throw damaged('an object', 'its compressed bytes do not read', cause);
  } finally {
    source.destroy();
    inflater.destroy();
  }
  signal.throwIfAborted();
  if (bytes !== sizeBytes) throw damaged('an object', `it has not the ${sizeBytes} bytes that it says`);
  return inflater.bytesWritten;
}

function* cut(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += sliceBytes) yield data.subarray(at, at + sliceBytes);
}
