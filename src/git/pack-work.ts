/** What is known of a pack while its index is made: its objects, those that wait for their bases, and what that has cost. */
import { applyDelta, deltaResultBytes } from './delta.ts';
import { damaged } from './errors.ts';
import { type GitObject, hashObject, inflateStartOf, type ObjectType } from './object.ts';
import type { ObjectCache } from './object-cache.ts';
import { maxChain, parseEntry } from './pack-reader.ts';

export interface PackLimits {
  /** Largest object that is built from deltas or is one's base, in bytes. */
  readonly maxObjectBytes: number;
  /** Bytes made in all, again and again where bases do not fit into memory: what a pack that unfolds without end may cost. */
  readonly maxWorkBytes: number;
  /** Memory for bases, in bytes. */
  readonly maxCachedBytes: number;
}

/** SHA-1 of all before it, at the pack's end. */
export const checksumBytes = 20;

/** One object of the pack. */
export interface Slot {
  readonly offset: number;
  readonly crc32: number;
  /** Set when the object is known: of a delta, when its base is. */
  oid: string | undefined;
  base: Slot | undefined;
  /** Deltas between this one and a whole object. */
  depth: number;
}

export interface Work {
  readonly pack: Buffer;
  readonly limits: PackLimits;
  readonly cache: ObjectCache;
  readonly slots: Map<number, Slot>;
  readonly byOid: Map<string, Slot>;
  /** Deltas whose base comes later: by its id, or by its offset where it waits itself. */
  readonly waiting: Map<string | number, Slot[]>;
  /** Bases from elsewhere, by their offsets in the pack as it will be. */
  readonly added: Map<number, GitObject>;
  bytes: number;
}

type BasePlace = { readonly offset: number } | { readonly oid: string } | undefined;

/** The delta's object is known where its base is; else it waits. */
export function settleDelta(work: Work, slot: Slot, place: BasePlace, delta: Buffer): void {
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
export function keep(work: Work, slot: Slot, object: GitObject): string {
  work.cache.set(slot.offset, object);
  return hashObject(object.type, object.body);
}

/** The object is known: those that wait for it are so too, and those that wait for them. */
export function settle(work: Work, known: Slot, knownOid: string): void {
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
export function readSlot(work: Work, slot: Slot): GitObject {
  const chain: Slot[] = [];
  let object: GitObject | undefined;
  for (let at: Slot | undefined = slot; at !== undefined && object === undefined; at = at.base) {
    object = work.added.get(at.offset) ?? work.cache.get(at.offset);
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

/** Counts bytes made; throws `RepoInvalid` above the limit. */
export function account(work: Work, bytes: number): void {
  work.bytes += bytes;
  if (work.bytes > work.limits.maxWorkBytes)
    throw damaged('a pack', `it unfolds to more than ${work.limits.maxWorkBytes} bytes`);
}
