/** Makes the index of a downloaded pack: every object is read once, checked and named. Sources: git's "gitformat-pack", "git-index-pack". */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { TallymanError } from '../error/tallyman-error.ts';
import { applyDelta, deltaResultBytes } from './delta.ts';
import { damaged, isDamage, repoInvalid, repoUnavailable } from './errors.ts';
import { hashLargeBlob } from './large-blob.ts';
import { type GitObject, hashObject, inflateStartOf, maxMetadataBytes, type ObjectType } from './object.ts';
import { createObjectCache, type ObjectCache } from './object-cache.ts';
import { formatPackIndex } from './pack-index.ts';
import { maxChain, parseEntry } from './pack-reader.ts';
import type { FormattedPack } from './pack-write.ts';

export interface IndexedPack extends FormattedPack {
  readonly count: number;
  /** The object, read from the pack again; undefined where it is not in it. */
  find(oid: string): GitObject | undefined;
}

export interface PackLimits {
  /** Largest object that is built from deltas or is one's base, in bytes. */
  readonly maxObjectBytes: number;
  /** Bytes made in all, again and again where bases do not fit into memory: what a pack that unfolds without end may cost. */
  readonly maxWorkBytes: number;
  /** Memory for bases, in bytes. */
  readonly maxCachedBytes: number;
}

const usualLimits: PackLimits = {
  maxObjectBytes: 256 * 1024 ** 2,
  maxWorkBytes: 16 * 1024 ** 3,
  maxCachedBytes: 64 * 1024 ** 2,
};
/** A header, and the shortest zlib stream. */
const minEntryBytes = 9;
const packHeaderBytes = 12;
const checksumBytes = 20;
/** The event loop gets a turn after so much work. */
const bytesPerTurn = 4 * 1024 ** 2;

/** One object of the pack. */
interface Slot {
  readonly offset: number;
  readonly crc32: number;
  /** Set when the object is known: of a delta, when its base is. */
  oid: string | undefined;
  base: Slot | undefined;
  /** Deltas between this one and a whole object. */
  depth: number;
}

interface Work {
  readonly pack: Buffer;
  readonly limits: PackLimits;
  readonly cache: ObjectCache;
  readonly slots: Map<number, Slot>;
  readonly byOid: Map<string, Slot>;
  /** Deltas whose base comes later: by its id, or by its offset where it waits itself. */
  readonly waiting: Map<string | number, Slot[]>;
  bytes: number;
}

/**
 * The index of a pack, with the pack. Throws `RepoUnavailable` where the pack is cut off or was damaged on the way, and
 * `RepoInvalid` where it holds what git does not write: wrong sizes, deltas without base, more than the limits.
 */
export async function indexPack(
  pack: Buffer,
  { signal, limits = usualLimits }: { signal: AbortSignal; limits?: PackLimits },
): Promise<IndexedPack> {
  const checksum = await checkEnvelope(pack, signal);
  const cache = createObjectCache(limits.maxCachedBytes);
  const work: Work = { pack, limits, cache, slots: new Map(), byOid: new Map(), waiting: new Map(), bytes: 0 };
  try {
    await readObjects(work, signal);
  } catch (error) {
    // It is what the server has, not what is kept here: a new clone would get the same.
    throw isDamage(error) && error instanceof TallymanError ? repoInvalid(error.message, error.remedy) : error;
  }
  const entries = [...work.slots.values()].map(({ oid = '', offset, crc32 }) => ({ oid, offset, crc32 }));
  return {
    pack,
    index: formatPackIndex(entries, checksum),
    checksum: checksum.toString('hex'),
    count: entries.length,
    find(oid) {
      const slot = work.byOid.get(oid);
      return slot && readSlot(work, slot);
    },
  };
}

/** The pack's checksum, which is compared first. */
async function checkEnvelope(pack: Buffer, signal: AbortSignal): Promise<Buffer> {
  const broken = (found: string): TallymanError =>
    repoUnavailable(`Cannot read the Git server's pack: ${found}, a whole pack was wanted`);
  const version = pack.length < packHeaderBytes + checksumBytes ? 0 : pack.readUInt32BE(4);
  if (pack.toString('latin1', 0, 4) !== 'PACK' || (version !== 2 && version !== 3))
    throw broken('it is cut off or no pack');
  const end = pack.length - checksumBytes;
  const hash = createHash('sha1');
  for (let at = 0; at < end; at += 8 * bytesPerTurn) {
    hash.update(pack.subarray(at, Math.min(end, at + 8 * bytesPerTurn)));
    if (end > 8 * bytesPerTurn) await turn(signal);
  }
  const checksum = hash.digest();
  if (!checksum.equals(pack.subarray(end))) throw broken('its checksum does not match');
  return checksum;
}

async function turn(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

async function readObjects(work: Work, signal: AbortSignal): Promise<void> {
  const { pack } = work;
  const count = pack.readUInt32BE(8);
  const end = pack.length - checksumBytes;
  if (count > pack.length / minEntryBytes) throw damaged('a pack', `it says that it holds ${count} objects`);
  let offset = packHeaderBytes;
  let turnAt = bytesPerTurn;
  for (let index = 0; index < count; index++) {
    if (offset >= end) throw damaged('a pack', `it holds ${index} objects and says ${count}`);
    offset = await readObject(work, offset);
    if (work.bytes < turnAt) continue;
    turnAt = work.bytes + bytesPerTurn;
    await turn(signal);
  }
  if (offset !== end) throw damaged('a pack', 'something follows its objects');
  const [orphan] = work.waiting.keys();
  if (orphan !== undefined) throw damaged('a pack', `the base "${orphan}" of a delta is not in it`);
}

/** Reads the object at the offset, and those that waited for it; gives the offset of the next. */
async function readObject(work: Work, offset: number): Promise<number> {
  const { pack, limits } = work;
  const span = pack.subarray(offset, pack.length - checksumBytes);
  const { type, sizeBytes, base, data } = parseEntry(span, offset);
  const headerBytes = span.length - data.length;
  const isLarge = type === 'blob' && sizeBytes > maxMetadataBytes;
  if (!isLarge && sizeBytes > (type === 'delta' ? limits.maxObjectBytes : maxMetadataBytes))
    throw damaged('a packed object', `it needs ${sizeBytes} bytes`);
  account(work, sizeBytes + headerBytes);
  const { packedBytes, ...read } = isLarge ? await hashLargeBlob(data, sizeBytes) : inflateStartOf(data, sizeBytes);
  const next = offset + headerBytes + packedBytes;
  const slot: Slot = { offset, crc32: crc32(pack.subarray(offset, next)), oid: undefined, base: undefined, depth: 0 };
  work.slots.set(offset, slot);
  if ('oid' in read) settle(work, slot, read.oid);
  else if (type !== 'delta') settle(work, slot, keep(work, slot, { type, body: read.body }));
  else await settleDelta(work, slot, base, read.body);
  return next;
}

type BasePlace = { readonly offset: number } | { readonly oid: string } | undefined;

function settleDelta(work: Work, slot: Slot, place: BasePlace, delta: Buffer): void {
  const base = place && ('oid' in place ? work.byOid.get(place.oid) : work.slots.get(place.offset));
  if (base?.oid !== undefined) {
    attach(slot, base);
    settle(work, slot, keep(work, slot, applyBounded(work, readSlot(work, base), delta)));
    return;
  }
  if (place === undefined || ('offset' in place && base === undefined))
    throw damaged('a pack', 'a delta points between objects');
  const key = 'oid' in place ? place.oid : place.offset;
  const others = work.waiting.get(key);
  if (others === undefined) work.waiting.set(key, [slot]);
  else others.push(slot);
}

function attach(slot: Slot, base: Slot): void {
  slot.base = base;
  slot.depth = base.depth + 1;
  if (slot.depth > maxChain) throw damaged('a pack', 'a chain of deltas has no end');
}

/** Keeps the object for deltas to come; gives its id. */
function keep(work: Work, slot: Slot, object: GitObject): string {
  work.cache.set(slot.offset, object);
  return hashObject(object.type, object.body);
}

/** The object is known: those that wait for it are so too, and those that wait for them. */
function settle(work: Work, known: Slot, knownOid: string): void {
  const settled: [Slot, string][] = [[known, knownOid]];
  for (let pair = settled.pop(); pair !== undefined; pair = settled.pop()) {
    const [slot, oid] = pair;
    slot.oid = oid;
    work.byOid.set(oid, slot);
    for (const key of [oid, slot.offset]) {
      for (const child of work.waiting.get(key) ?? []) {
        attach(child, slot);
        settled.push([child, keep(work, child, readSlot(work, child))]);
      }
      work.waiting.delete(key);
    }
  }
}

/** The object of a slot whose base is known: from memory, or made again from the nearest base that is there. */
function readSlot(work: Work, slot: Slot): GitObject {
  const chain: Slot[] = [];
  let object: GitObject | undefined;
  for (let at: Slot | undefined = slot; at !== undefined && object === undefined; at = at.base) {
    object = work.cache.get(at.offset);
    if (object === undefined) chain.push(at);
  }
  for (const step of chain.reverse()) {
    const read = inflateSlot(work, step);
    if (object === undefined && read.type === 'delta') throw damaged('a pack', 'a delta has no base');
    object =
      object === undefined || read.type !== 'delta'
        ? { type: read.type as ObjectType, body: read.body }
        : applyBounded(work, object, read.body);
    work.cache.set(step.offset, object);
  }
  if (object === undefined) throw damaged('a pack', 'a delta has no base');
  return object;
}

function inflateSlot(work: Work, { offset }: Slot): { type: ObjectType | 'delta'; body: Buffer } {
  const { type, sizeBytes, data } = parseEntry(work.pack.subarray(offset, work.pack.length - checksumBytes), offset);
  if (sizeBytes > work.limits.maxObjectBytes) throw damaged('a packed object', `it needs ${sizeBytes} bytes`);
  account(work, sizeBytes);
  return { type, body: inflateStartOf(data, sizeBytes).body };
}

function applyBounded(work: Work, base: GitObject, delta: Buffer): GitObject {
  const bytes = deltaResultBytes(delta);
  if (bytes > work.limits.maxObjectBytes) throw damaged('a packed object', `it needs ${bytes} bytes`);
  account(work, bytes);
  return { type: base.type, body: applyDelta(base.body, delta) };
}

function account(work: Work, bytes: number): void {
  work.bytes += bytes;
  if (work.bytes > work.limits.maxWorkBytes)
    throw damaged('a pack', `it unfolds to more than ${work.limits.maxWorkBytes} bytes`);
}
