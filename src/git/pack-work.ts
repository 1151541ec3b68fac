/** What is known of a pack while its index is made: its objects, those that wait for their bases, and what that has cost. */
import { applyDeltaInSteps, deltaResultBytes } from './delta.ts';
import { damaged } from './errors.ts';
import { inflateLarge } from './large-object.ts';
import { type GitObject, inflateStartOf, type ObjectType, startHash } from './object.ts';
import type { ObjectCache } from './object-cache.ts';
import { maxChain, parseEntry } from './pack-reader.ts';
import { bytesPerTurn, type WorkMeter } from './work-meter.ts';

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
  /** Largest object that is built from deltas or is one's base, in bytes. */
  readonly maxObjectBytes: number;
  /** Counts bytes made, again and again where bases do not fit into memory. */
  readonly meter: WorkMeter;
  readonly cache: ObjectCache;
  readonly slots: Map<number, Slot>;
  readonly byOid: Map<string, Slot>;
  /** Deltas whose base comes later: by its id, or by its offset where it waits itself. */
  readonly waiting: Map<string | number, Slot[]>;
  /** Bases from elsewhere, by their offsets in the pack as it will be. */
  readonly added: Map<number, GitObject>;
}

type BasePlace = { readonly offset: number } | { readonly oid: string } | undefined;

/** A byte of a delta can cost as much as so many of an object, where its instructions do little. */
const bytesPerDeltaByte = 16;

/** The delta's object is known where its base is; else it waits. */
export async function settleDelta(work: Work, slot: Slot, place: BasePlace, delta: Buffer): Promise<void> {
  const base = place && ('oid' in place ? work.byOid.get(place.oid) : work.slots.get(place.offset));
  if (base?.oid !== undefined) {
    attach(slot, base);
    await settle(work, slot, await keep(work, slot, await applyBounded(work, await readSlot(work, base), delta)));
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
export async function keep(work: Work, slot: Slot, object: GitObject): Promise<string> {
  work.cache.set(slot.offset, object);
  return hashInTurns(object, work.meter);
}

/** The object's id. */
export async function hashInTurns({ type, body }: GitObject, meter: WorkMeter): Promise<string> {
  const hash = startHash(type, body.length);
  for (let at = 0; at < body.length; at += bytesPerTurn) {
    if (at > 0) await meter.turn();
    hash.update(body.subarray(at, at + bytesPerTurn));
  }
  return hash.digest('hex');
}

/** The object is known: those that wait for it are so too, and those that wait for them. */
export async function settle(work: Work, known: Slot, knownOid: string): Promise<void> {
  const settled: [Slot, string][] = [[known, knownOid]];
  for (let pair = settled.pop(); pair !== undefined; pair = settled.pop()) {
    const [slot, oid] = pair;
    slot.oid = oid;
    work.byOid.set(oid, slot);
    for (const key of [oid, slot.offset]) {
      for (const child of work.waiting.get(key) ?? []) {
        attach(child, slot);
        settled.push([child, await keep(work, child, await readSlot(work, child))]);
        await work.meter.rest();
      }
      work.waiting.delete(key);
    }
  }
}

/** The object of a slot whose base is known: from memory, or made again from the nearest base that is there. */
export async function readSlot(work: Work, slot: Slot): Promise<GitObject> {
  const chain: Slot[] = [];
  let object: GitObject | undefined;
  for (let at: Slot | undefined = slot; at !== undefined && object === undefined; at = at.base) {
    object = work.added.get(at.offset) ?? work.cache.get(at.offset);
    if (object === undefined) chain.push(at);
  }
  for (const step of chain.reverse()) {
    const read = await inflateSlot(work, step);
    if (read.type !== 'delta') object = { type: read.type, body: read.body };
    else if (object !== undefined) object = await applyBounded(work, object, read.body);
    else throw damaged('a pack', 'a delta has no base');
    work.cache.set(step.offset, object);
    await work.meter.rest();
  }
  if (object === undefined) throw damaged('a pack', 'a delta has no base');
  return object;
}

async function inflateSlot(work: Work, { offset }: Slot): Promise<{ type: ObjectType | 'delta'; body: Buffer }> {
  const span = work.pack.subarray(offset, work.pack.length - checksumBytes);
  const { type, sizeBytes, data } = parseEntry(span, offset);
  if (sizeBytes > work.maxObjectBytes) throw damaged('a packed object', `it needs ${sizeBytes} bytes`);
  work.meter.add(sizeBytes);
  return { type, body: (await inflateBody(work, data, sizeBytes)).body };
}

/** The zlib stream that `data` begins with; a large one on zlib's own threads. */
export async function inflateBody(
  { meter }: Work,
  data: Buffer,
  sizeBytes: number,
): Promise<{ body: Buffer; packedBytes: number }> {
  if (sizeBytes <= bytesPerTurn) return inflateStartOf(data, sizeBytes);
  return inflateLarge({ data, sizeBytes, signal: meter.signal });
}

async function applyBounded({ meter, maxObjectBytes }: Work, base: GitObject, delta: Buffer): Promise<GitObject> {
  const bytes = deltaResultBytes(delta);
  if (bytes > maxObjectBytes) throw damaged('a packed object', `it needs ${bytes} bytes`);
  meter.add(bytes + delta.length * bytesPerDeltaByte);
  const steps = applyDeltaInSteps(base.body, delta, bytesPerTurn);
  for (;;) {
    const step = steps.next();
    if (step.done) return { type: base.type, body: step.value };
    await meter.turn();
  }
}
