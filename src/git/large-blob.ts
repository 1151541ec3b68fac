/** Names blobs that are too large to be held in memory. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import { damaged } from './errors.ts';

const sliceBytes = 256 * 1024;

/** The id of the blob in the zlib stream that `data` begins with, and how long that is; throws `RepoInvalid` where it has another size. */
export async function hashLargeBlob(data: Buffer, sizeBytes: number): Promise<{ oid: string; packedBytes: number }> {
  const hash = createHash('sha1').update(`blob ${sizeBytes}\0`);
  const inflater = createInflate();
  const source = Readable.from(cut(data));
  let bytes = 0;
  try {
    for await (const chunk of source.pipe(inflater)) {
      bytes += chunk.length;
      if (bytes > sizeBytes) break;
      hash.update(chunk);
    }
  } catch (cause) {
    throw damaged('an object', 'its compressed bytes do not read', cause);
  } finally {
    source.destroy();
    inflater.destroy();
  }
  if (bytes !== sizeBytes) throw damaged('an object', `it has not the ${sizeBytes} bytes that it says`);
  return { oid: hash.digest('hex'), packedBytes: inflater.bytesWritten };
}

function* cut(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += sliceBytes) yield data.subarray(at, at + sliceBytes);
}
