/** Pack indexes, version 2: from object id to its place in the pack. Source: git's "gitformat-pack". */
import { createHash } from 'node:crypto';
import { damaged } from './errors.ts';

export interface PackIndex {
  readonly count: number;
  /** SHA-1 of the pack this index belongs to, hexadecimal. */
  readonly packChecksum: string;
  /** Byte offset of the object in the pack, or undefined. */
  find(oid: string): number | undefined;
  /** Where the object that starts at `offset` ends, given the pack's size. */
  findEnd(offset: number, packBytes: number): number;
}

/** One object of a pack just written. */
export interface PackedEntry {
  readonly oid: string;
  readonly offset: number;
  readonly crc32: number;
}

const magic = 0xff744f63;
const headerBytes = 8 + 256 * 4;

/** The index in the file's bytes; throws `RepoInvalid` on damage (its own checksum is compared). */
export function parsePackIndex(bytes: Buffer): PackIndex {
  if (bytes.length < headerBytes + 40 || bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(4) !== 2)
    throw damaged('a pack index', 'it is no index of version 2');
  const body = bytes.subarray(0, -20);
  if (!createHash('sha1').update(body).digest().equals(bytes.subarray(-20)))
    throw damaged('a pack index', 'its checksum does not match');
  const fanOut = (index: number): number => (index < 0 ? 0 : bytes.readUInt32BE(8 + index * 4));
  const count = fanOut(255);
  const namesAt = headerBytes;
  const offsetsAt = namesAt + count * 24;
  const largeAt = offsetsAt + count * 4;
  if (largeAt + 40 > bytes.length) throw damaged('a pack index', 'it is cut off');
  const offsetOf = (index: number): number => {
    const small = bytes.readUInt32BE(offsetsAt + index * 4);
    return small < 0x80000000 ? small : Number(bytes.readBigUInt64BE(largeAt + (small - 0x80000000) * 8));
  };
  const offsets = Float64Array.from({ length: count }, (_, index) => offsetOf(index)).sort();
  return {
    count,
    packChecksum: bytes.toString('hex', bytes.length - 40, bytes.length - 20),
    find(oid) {
      const wanted = Buffer.from(oid, 'hex');
      const first = wanted[0] ?? 0;
      const place = bisect({ from: fanOut(first - 1), to: fanOut(first) }, (index) =>
        bytes.compare(wanted, 0, 20, namesAt + index * 20, namesAt + index * 20 + 20),
      );
      return place.exact ? offsetOf(place.index) : undefined;
    },
    findEnd(offset, packBytes) {
      const place = bisect({ from: 0, to: count }, (index) => (offsets[index] ?? 0) - offset);
      if (!place.exact) throw damaged('a pack', 'a delta points between objects');
      return offsets[place.index + 1] ?? packBytes - 20;
    },
  };
}

/** Binary search over [from, to); `compare` is positive where the entry lies above what is sought. */
function bisect(
  range: { from: number; to: number },
  compare: (index: number) => number,
): { index: number; exact: boolean } {
  let { from, to } = range;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compare(middle);
    if (order === 0) return { index: middle, exact: true };
    if (order > 0) to = middle;
    else from = middle + 1;
  }
  return { index: from, exact: false };
}

/** The bytes of the index of a pack smaller than 2 GiB. */
export function formatPackIndex(entries: readonly PackedEntry[], packChecksum: Buffer): Buffer {
  const sorted = entries.toSorted((a, b) => (a.oid < b.oid ? -1 : 1));
  const body = Buffer.alloc(headerBytes + sorted.length * 28 + 20);
  body.writeUInt32BE(magic, 0);
  body.writeUInt32BE(2, 4);
  const crcAt = headerBytes + sorted.length * 20;
  const offsetsAt = crcAt + sorted.length * 4;
  for (const [index, entry] of sorted.entries()) {
    body.write(entry.oid, headerBytes + index * 20, 'hex');
    body.writeUInt32BE(entry.crc32, crcAt + index * 4);
    body.writeUInt32BE(entry.offset, offsetsAt + index * 4);
    const bucket = 8 + Number.parseInt(entry.oid.slice(0, 2), 16) * 4;
    body.writeUInt32BE(body.readUInt32BE(bucket) + 1, bucket);
  }
  for (let bucket = 1; bucket < 256; bucket++)
    body.writeUInt32BE(body.readUInt32BE(8 + bucket * 4) + body.readUInt32BE(4 + bucket * 4), 8 + bucket * 4);
  packChecksum.copy(body, offsetsAt + sorted.length * 4);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}
