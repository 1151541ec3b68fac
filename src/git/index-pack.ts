/** Makes the index of a downloaded pack: every object is read once, checked and named. Sources: git's "gitformat-pack", "git-index-pack". */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import { TallymanError } from '../error/tallyman-error.ts';
import { damaged, isDamage, repoInvalid, repoUnavailable } from './errors.ts';
import { hashLargeBlob } from './large-object.ts';
import { type GitObject, maxMetadataBytes } from './object.ts';
import { createObjectCache } from './object-cache.ts';
import { formatPackIndex } from './pack-index.ts';
import { type FindBase, parseEntry } from './pack-reader.ts';
import {
  checksumBytes,
  hashInTurns,
  inflateBody,
  keep,
  readSlot,
  type Slot,
  settle,
  settleDelta,
  type Work,
} from './pack-work.ts';
import { type FormattedPack, formatEntry } from './pack-write.ts';
import { bytesPerTurn, createWorkMeter, type WorkMeter } from './work-meter.ts';

export interface IndexedPack extends FormattedPack {
  readonly count: number;
  /** The object, read from the pack again; undefined where it is not in it. */
  find(oid: string): Promise<GitObject | undefined>;
}

interface PackLimits {
  /** Largest object that is built from deltas or is one's base, in bytes. */
  readonly maxObjectBytes: number;
  /** Bytes made in all: what a pack that unfolds without end may cost. */
  readonly maxWorkBytes: number;
  /** Memory for bases, in bytes. */
  readonly maxCachedBytes: number;
}

/**
 * For a pack of that size. Zlib unfolds at most 1,032-fold, and deltas multiply that: of a pack that git has made of files
 * that people write, hundreds of bytes for each of its own are usual.
 */
function findUsualLimits(packBytes: number): PackLimits {
  return {
    maxObjectBytes: 256 * 1024 ** 2,
    maxWorkBytes: Math.min(16 * 1024 ** 3, 1024 ** 3 + 1024 * packBytes),
    maxCachedBytes: 64 * 1024 ** 2,
  };
}
const deflated: (bytes: Buffer) => Promise<Buffer> = promisify(deflate);
/** A header, and the shortest zlib stream. */
const minEntryBytes = 9;
const packHeaderBytes = 12;

interface IndexOptions {
  readonly signal: AbortSignal;
  /** Objects that are here already: a thin pack builds on them, and gets them added. */
  readonly findBase?: FindBase;
  readonly limits?: PackLimits;
}

/** A pack that needs nothing from elsewhere. */
interface ThickPack {
  readonly pack: Buffer;
  readonly checksum: Buffer;
}

/**
 * The index of a pack, with the pack. Throws `RepoUnavailable` where the pack is cut off or was damaged on the way, and
 * `RepoInvalid` where it holds what git does not write: wrong sizes, deltas without base, more than the limits.
 */
export async function indexPack(pack: Buffer, options: IndexOptions): Promise<IndexedPack> {
  const { signal, findBase = () => undefined, limits = findUsualLimits(pack.length) } = options;
  const meter = createWorkMeter({ maxBytes: limits.maxWorkBytes, signal });
  const received = await checkEnvelope(pack, meter);
  const work: Work = {
    pack,
    maxObjectBytes: limits.maxObjectBytes,
    meter,
    cache: createObjectCache(limits.maxCachedBytes),
    slots: new Map(),
    byOid: new Map(),
    waiting: new Map(),
    added: new Map(),
  };
  try {
    await readObjects(work);
  } catch (error) {
    // It is what the server has, not what is kept here: a new clone would get the same.
    throw isDamage(error) && error instanceof TallymanError ? repoInvalid(error.message, error.remedy) : error;
  }
  // A base that is missing here although the server counts on it is damage: a new clone mends it.
  const whole = (await addBases(work, findBase)) ?? { pack, checksum: received };
  const entries = [...work.slots.values()].map(({ oid = '', offset, crc32 }) => ({ oid, offset, crc32 }));
  return {
    pack: whole.pack,
    index: formatPackIndex(entries, whole.checksum),
    checksum: whole.checksum.toString('hex'),
    count: entries.length,
    async find(oid) {
      const slot = work.byOid.get(oid);
      return slot && readSlot(work, slot);
    },
  };
}

/** The pack's checksum, which is compared first. */
async function checkEnvelope(pack: Buffer, meter: WorkMeter): Promise<Buffer> {
  const broken = (found: string): TallymanError =>
    repoUnavailable(`Cannot read the Git server's pack: ${found}, a whole pack was wanted`);
  const version = pack.length < packHeaderBytes + checksumBytes ? 0 : pack.readUInt32BE(4);
  if (pack.toString('latin1', 0, 4) !== 'PACK' || (version !== 2 && version !== 3))
    throw broken('it is cut off or no pack');
  const end = pack.length - checksumBytes;
  const hash = createHash('sha1');
  for (let at = 0; at < end; at += bytesPerTurn) {
    hash.update(pack.subarray(at, Math.min(end, at + bytesPerTurn)));
    if (end > bytesPerTurn) await meter.turn();
  }
  const checksum = hash.digest();
  if (!checksum.equals(pack.subarray(end))) throw broken('its checksum does not match');
  return checksum;
}

async function readObjects(work: Work): Promise<void> {
  const { pack } = work;
  const count = pack.readUInt32BE(8);
  const end = pack.length - checksumBytes;
  if (count > pack.length / minEntryBytes) throw damaged('a pack', `it says that it holds ${count} objects`);
  let offset = packHeaderBytes;
  for (let index = 0; index < count; index++) {
    if (offset >= end) throw damaged('a pack', `it holds ${index} objects and says ${count}`);
    offset = await readObject(work, offset);
    await work.meter.rest();
  }
  if (offset !== end) throw damaged('a pack', 'something follows its objects');
}

/** Puts the bases that are elsewhere behind the pack's own objects, as `git index-pack --fix-thin` does; undefined where there are none. */
async function addBases(work: Work, findBase: FindBase): Promise<ThickPack | undefined> {
  const parts = [work.pack.subarray(0, -checksumBytes)];
  let offset = work.pack.length - checksumBytes;
  for (const oid of [...work.waiting.keys()]) {
    const base = typeof oid === 'string' && !work.byOid.has(oid) ? findBase(oid) : undefined;
    if (base === undefined || typeof oid !== 'string') continue;
    work.meter.add(base.body.length);
    if ((await hashInTurns(base, work.meter)) !== oid) throw damaged(`object "${oid}"`, 'its content is another');
    const entry = formatEntry(base, await deflated(base.body));
    const slot: Slot = { offset, crc32: crc32(entry), oid: undefined, base: undefined, depth: 0 };
    work.slots.set(offset, slot);
    work.added.set(offset, base);
    parts.push(entry);
    offset += entry.length;
    await settle(work, slot, oid);
    await work.meter.rest();
  }
  const [orphan] = work.waiting.keys();
  if (orphan !== undefined) throw damaged('a pack', `the base "${orphan}" of a delta is not in it`);
  if (parts.length === 1) return undefined;
  const body = Buffer.concat(parts);
  body.writeUInt32BE(work.slots.size, 8);
  const checksum = createHash('sha1').update(body).digest();
  return { pack: Buffer.concat([body, checksum]), checksum };
}

/** Reads the object at the offset, and those that waited for it; gives the offset of the next. */
async function readObject(work: Work, offset: number): Promise<number> {
  const { pack, meter } = work;
  const span = pack.subarray(offset, pack.length - checksumBytes);
  const { type, sizeBytes, base, data } = parseEntry(span, offset);
  const headerBytes = span.length - data.length;
  const isLarge = type === 'blob' && sizeBytes > maxMetadataBytes;
  if (!isLarge && sizeBytes > (type === 'delta' ? work.maxObjectBytes : maxMetadataBytes))
    throw damaged('a packed object', `it needs ${sizeBytes} bytes`);
  meter.add(sizeBytes + headerBytes);
  const { packedBytes, ...read } = isLarge
    ? await hashLargeBlob({ data, sizeBytes, signal: meter.signal })
    : await inflateBody(work, data, sizeBytes);
  const next = offset + headerBytes + packedBytes;
  const slot: Slot = { offset, crc32: crc32(pack.subarray(offset, next)), oid: undefined, base: undefined, depth: 0 };
  work.slots.set(offset, slot);
  if ('oid' in read) await settle(work, slot, read.oid);
  else if (type !== 'delta') await settle(work, slot, await keep(work, slot, { type, body: read.body }));
  else await settleDelta(work, slot, base, read.body);
  return next;
}
