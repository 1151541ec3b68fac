/** One pack file on disk, read object by object. Source: git's "gitformat-pack". */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { applyDelta, deltaResultBytes } from './delta.ts';
import { damaged } from './errors.ts';
import { type Found, type GitObject, inflate, maxMetadataBytes, type ObjectType } from './object.ts';
import { createObjectCache, type ObjectCache } from './object-cache.ts';
import { type PackIndex, parsePackIndex } from './pack-index.ts';

export interface PackReader {
  readonly index: PackIndex;
  /** The object at that offset; throws `RepoInvalid` on damage. */
  read(offset: number, maxBytes: number): Found;
  close(): void;
}

/** A base of a delta that is in no part of this pack. */
export type FindBase = (oid: string) => GitObject | undefined;

/** One object as the pack has it: its header, and what follows. */
export interface Entry {
  readonly type: ObjectType | 'delta';
  readonly sizeBytes: number;
  readonly base: { readonly offset: number } | { readonly oid: string } | undefined;
  readonly data: Buffer;
}

const types: Readonly<Record<number, ObjectType | 'delta'>> = {
  1: 'commit',
  2: 'tree',
  3: 'blob',
  4: 'tag',
  6: 'delta',
  7: 'delta',
};
/** git writes chains of at most 4,095 deltas. */
export const maxChain = 4095;
/** Read at once when objects are read in the order of their offsets: fewer system calls than objects. */
const windowBytes = 256 * 1024;
/** Objects kept for the deltas that build on them. */
const maxCachedBytes = 16 * 1024 * 1024;

/** Opens `<stem>.pack` with `<stem>.idx`; throws `RepoInvalid` where the two do not belong together. */
export function openPack(stem: string, findBase: FindBase): PackReader {
  const index = parsePackIndex(readFileSync(`${stem}.idx`));
  const fd = openSync(`${stem}.pack`, 'r');
  const packBytes = fstatSync(fd).size;
  const readSpan = createSpanReader(fd);
  const cache = createObjectCache(maxCachedBytes);
  try {
    const trailer = packBytes < 32 ? '' : readSpan(packBytes - 20, packBytes).toString('hex');
    if (trailer !== index.packChecksum) throw damaged('a pack', 'it is cut off or belongs to another index');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const readEntry = (offset: number): Entry => parseEntry(readSpan(offset, index.findEnd(offset, packBytes)), offset);
  const source: Source = { readEntry, findByOid: index.find, findBase, cache };
  return {
    index,
    read: (offset, maxBytes) => resolveEntry(source, offset, maxBytes),
    close: () => closeSync(fd),
  };
}

interface Source {
  readonly readEntry: (offset: number) => Entry;
  readonly findByOid: (oid: string) => number | undefined;
  readonly findBase: FindBase;
  readonly cache: ObjectCache;
}

interface Delta {
  readonly bytes: Buffer;
  readonly offset: number;
}

/** Walks down to a whole object, then applies the deltas upwards; a loop, since chains are long. */
function resolveEntry(source: Source, offset: number, maxBytes: number): Found {
  const deltas: Delta[] = [];
  for (let at = offset; ; ) {
    const cached = source.cache.get(at);
    if (cached) return bounded(applyDeltas(source, cached, deltas), maxBytes);
    const entry = source.readEntry(at);
    const sizeLimit = deltas.length === 0 && entry.type !== 'delta' ? maxBytes : maxMetadataBytes;
    if (entry.sizeBytes > sizeLimit) return oversized(entry, deltas.length === 0);
    const bytes = inflate(entry.data, entry.sizeBytes);
    if (bytes.length !== entry.sizeBytes) throw damaged('a packed object', 'it is smaller than it says');
    if (entry.type !== 'delta') {
      const object = { type: entry.type, body: bytes };
      source.cache.set(at, object);
      return applyDeltas(source, object, deltas);
    }
    const resultBytes = deltaResultBytes(bytes);
    // The type is not known yet; only blobs are asked for with a limit that small.
    if (deltas.length === 0 && resultBytes > maxBytes) return { type: 'blob', oversizedBytes: resultBytes };
    if (deltas.push({ bytes, offset: at }) > maxChain) throw damaged('a pack', 'a chain of deltas has no end');
    const base = findBasePlace(source, entry);
    if (typeof base !== 'number') return applyDeltas(source, base, deltas);
    at = base;
  }
}

function applyDeltas(source: Source, base: GitObject, deltas: readonly Delta[]): GitObject {
  let object = base;
  for (const delta of deltas.toReversed()) {
    if (deltaResultBytes(delta.bytes) > maxMetadataBytes) throw damaged('a packed object', 'its base is oversized');
    object = { type: object.type, body: applyDelta(object.body, delta.bytes) };
    source.cache.set(delta.offset, object);
  }
  return object;
}

/** Where the base of a delta starts in this pack, or the base itself from elsewhere. */
function findBasePlace({ findByOid, findBase }: Source, { base }: Entry): number | GitObject {
  if (base !== undefined && 'offset' in base) return base.offset;
  const oid = base?.oid ?? '';
  const place = findByOid(oid) ?? findBase(oid);
  if (place === undefined) throw damaged('a packed object', `its base "${oid}" is not there`);
  return place;
}

function bounded(object: GitObject, maxBytes: number): Found {
  return object.body.length > maxBytes ? { type: object.type, oversizedBytes: object.body.length } : object;
}

function oversized(entry: Entry, asked: boolean): Found {
  if (!asked || entry.type === 'delta') throw damaged('a packed object', `it needs ${entry.sizeBytes} bytes`);
  return { type: entry.type, oversizedBytes: entry.sizeBytes };
}

/** The header of the packed object at `offset` of its pack, and the compressed bytes behind it. */
export function parseEntry(span: Buffer, offset: number): Entry {
  let at = 0;
  let byte = span[at++] ?? 0;
  const number = (byte >> 4) & 7;
  let sizeBytes = byte & 15;
  for (let scale = 16; byte >= 0x80; scale *= 128) {
    byte = span[at++] ?? 0;
    sizeBytes += (byte & 0x7f) * scale;
  }
  const type = types[number];
  if (type === undefined || at > 10) throw damaged('a packed object', 'it has no valid header');
  if (number === 7)
    return { type, sizeBytes, base: { oid: span.toString('hex', at, at + 20) }, data: span.subarray(at + 20) };
  if (number !== 6) return { type, sizeBytes, base: undefined, data: span.subarray(at) };
  byte = span[at++] ?? 0;
  let back = byte & 0x7f;
  while (byte >= 0x80) {
    byte = span[at++] ?? 0;
    back = (back + 1) * 128 + (byte & 0x7f);
  }
  if (back === 0 || back > offset) throw damaged('a packed object', 'its delta points outside');
  return { type, sizeBytes, base: { offset: offset - back }, data: span.subarray(at) };
}

/** Reads [start, end) of the file; reads that go forward come out of a window, those that jump (to a base) do not move it. */
function createSpanReader(fd: number): (start: number, end: number) => Buffer {
  let window: Buffer = Buffer.alloc(0);
  let windowAt = 0;
  let lastEnd = 0;
  const read = (start: number, length: number): Buffer => {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, start));
  };
  return (start, end) => {
    const forward = start >= lastEnd && start - lastEnd < windowBytes / 4;
    lastEnd = end;
    const inside = start >= windowAt && end <= windowAt + window.length;
    if (!inside && !forward) return read(start, end - start);
    if (!inside) {
      window = read(start, Math.max(windowBytes, end - start));
      windowAt = start;
    }
    return window.subarray(start - windowAt, end - windowAt);
  };
}
