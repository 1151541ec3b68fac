/** Git's binary deltas. Source: git's "gitformat-pack", "Deltified representation". */
import { damaged } from './errors.ts';

/** A little-endian number of 7-bit groups, with the offset behind it. */
function readVarint(bytes: Buffer, start: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  let at = start;
  for (;;) {
    const byte = bytes[at++];
    if (byte === undefined || scale > 2 ** 49) throw damaged('a packed object', 'a number in it is cut off');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at };
    scale *= 128;
  }
}

/** The size in bytes that the delta's result has. */
export function deltaResultBytes(delta: Buffer): number {
  return readVarint(delta, readVarint(delta, 0).next).value;
}

/** What an instruction costs besides the bytes that it copies. */
const bytesPerInstruction = 64;

/** The object that `delta` makes of `base`; throws `RepoInvalid` where the two do not belong together. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  const steps = applyDeltaInSteps(base, delta, Number.POSITIVE_INFINITY);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, with a pause after each piece that costs as much as `bytesPerStep` bytes that are copied at once. */
export function* applyDeltaInSteps(base: Buffer, delta: Buffer, bytesPerStep: number): Generator<void, Buffer> {
  const source = readVarint(delta, 0);
  const target = readVarint(delta, source.next);
  if (source.value !== base.length) throw damaged('a packed object', 'its delta belongs to another base');
  const result = Buffer.allocUnsafe(target.value);
  let at = target.next;
  let written = 0;
  let cost = 0;
  while (at < delta.length) {
    const op = delta[at++] ?? 0;
    const copies = op >= 0x80;
    const copy = copies ? readCopy(delta, at, op) : { from: at, bytes: op, next: at + op };
    const source = copies ? base : delta;
    if (copy.bytes === 0 || copy.from + copy.bytes > source.length || written + copy.bytes > result.length)
      throw damaged('a packed object', 'its delta reaches outside');
    source.copy(result, written, copy.from, copy.from + copy.bytes);
    written += copy.bytes;
    at = copy.next;
    cost += copy.bytes + bytesPerInstruction;
    if (cost < bytesPerStep) continue;
    cost = 0;
    yield;
  }
  if (written !== result.length) throw damaged('a packed object', 'its delta ends too early');
  return result;
}

/** A copy instruction: bits 0-3 of `op` say which offset bytes follow, bits 4-6 which size bytes; size 0 means 65,536. */
function readCopy(delta: Buffer, start: number, op: number): { from: number; bytes: number; next: number } {
  let at = start;
  let from = 0;
  let bytes = 0;
  if (op & 0x01) from = delta[at++] ?? 0;
  if (op & 0x02) from += (delta[at++] ?? 0) * 0x100;
  if (op & 0x04) from += (delta[at++] ?? 0) * 0x10000;
  if (op & 0x08) from += (delta[at++] ?? 0) * 0x1000000;
  if (op & 0x10) bytes = delta[at++] ?? 0;
  if (op & 0x20) bytes += (delta[at++] ?? 0) * 0x100;
  if (op & 0x40) bytes += (delta[at++] ?? 0) * 0x10000;
  return { from, bytes: bytes === 0 ? 0x10000 : bytes, next: at };
}
