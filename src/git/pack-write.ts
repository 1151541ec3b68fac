/** Packs of new objects. Source: git's "gitformat-pack". */
import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import type { GitObject, NewObject, ObjectType } from './object.ts';
import { formatPackIndex, type PackedEntry } from './pack-index.ts';

const typeNumbers: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

export interface FormattedPack {
  readonly pack: Buffer;
  readonly index: Buffer;
  /** SHA-1 of the pack, hexadecimal: git names the files after it. */
  readonly checksum: string;
}

/** A pack of exactly these objects, each whole (no deltas), with its index. The same objects give the same bytes. */
export function formatPack(objects: readonly NewObject[]): FormattedPack {
  const header = Buffer.from('PACK\0\0\0\u0002\0\0\0\0', 'latin1');
  header.writeUInt32BE(objects.length, 8);
  const parts: Buffer[] = [header];
  const entries: PackedEntry[] = [];
  let offset = header.length;
  for (const object of objects) {
    const entry = formatEntry(object, deflateSync(object.body));
    entries.push({ oid: object.oid, offset, crc32: crc32(entry) });
    parts.push(entry);
    offset += entry.length;
  }
  const body = Buffer.concat(parts);
  const checksum = createHash('sha1').update(body).digest();
  return {
    pack: Buffer.concat([body, checksum]),
    index: formatPackIndex(entries, checksum),
    checksum: checksum.toString('hex'),
  };
}

/** The object as packs have it, whole; `packed` is its zlib stream. */
export function formatEntry(object: GitObject, packed: Buffer): Buffer {
  return Buffer.concat([formatEntryHeader(object), packed]);
}

/** Type in bits 4-6, size in 4 bits and then groups of 7, lowest first. */
function formatEntryHeader({ type, body }: GitObject): Buffer {
  const bytes = [(typeNumbers[type] << 4) | (body.length & 15)];
  for (let rest = Math.floor(body.length / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80;
    bytes.push(rest & 0x7f);
  }
  return Buffer.from(bytes);
}
