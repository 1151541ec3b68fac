/** Git objects in memory: their names and their loose form. */
import { createHash, type Hash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import { damaged, internal } from './errors.ts';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface GitObject {
  readonly type: ObjectType;
  readonly body: Buffer;
}

/** An object made here. `{ oid: 'ce013625…', type: 'blob', body }` */
export interface NewObject extends GitObject {
  /** 40 hexadecimal digits. */
  readonly oid: string;
}

/** What a store has under an id: the object, or only its size where that is above the caller's limit. */
export type Found = GitObject | { readonly type: ObjectType; readonly oversizedBytes: number };

/** Largest tree, commit or tag that is read, in bytes; a folder of 100,000 files has about 4 MiB. */
export const maxMetadataBytes = 64 * 1024 * 1024;
/** Longest header of a loose object: `commit `, 20 digits, NUL. */
const maxHeaderBytes = 32;

function isObjectType(text: string | undefined): text is ObjectType {
  return text === 'commit' || text === 'tree' || text === 'blob' || text === 'tag';
}

/**
 * The object with its id.
 *
 * @example
 * createObject('blob', Buffer.from('hello\n')).oid // 'ce013625030ba8dba906f756967f9e9ca394464a'
 */
export function createObject(type: ObjectType, body: Uint8Array): NewObject {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return { oid: hashObject(type, bytes), type, body: bytes };
}

/** The object's id: SHA-1 over `<type> <size>\0<body>`. Source: git's "git-hash-object". */
function hashObject(type: ObjectType, body: Buffer): string {
  return startHash(type, body.length).update(body).digest('hex');
}

/** The hash that becomes the object's id with its bytes. */
export function startHash(type: ObjectType, sizeBytes: number): Hash {
  return createHash('sha1').update(`${type} ${sizeBytes}\0`);
}

/** The bytes of the object's loose file, compressed. Source: git's "gitformat-loose". */
export function formatLoose(object: GitObject): Buffer {
  return deflateSync(Buffer.concat([Buffer.from(`${object.type} ${object.body.length}\0`, 'latin1'), object.body]));
}

/** The object in a loose file's bytes; only its size where that is above `maxBytes`. Throws `RepoInvalid` on damage. */
export function parseLoose(bytes: Buffer, maxBytes: number): Found {
  const raw = inflate(bytes, Math.min(maxBytes, maxMetadataBytes) + maxHeaderBytes, true);
  const end = raw.subarray(0, maxHeaderBytes).indexOf(0);
  const [type, size] = raw.toString('latin1', 0, Math.max(0, end)).split(' ');
  const sizeBytes = Number(size);
  if (!isObjectType(type) || !Number.isSafeInteger(sizeBytes))
    throw damaged('a loose object', 'it has no valid header');
  if (sizeBytes > maxBytes) return { type, oversizedBytes: sizeBytes };
  const body = raw.subarray(end + 1);
  if (body.length !== sizeBytes)
    throw damaged('a loose object', `it holds ${body.length} bytes, ${sizeBytes} were wanted`);
  return { type, body };
}

/**
 * The bytes behind a zlib stream, never more than `maxBytes`: above it the start alone where `partial`, else
 * `RepoInvalid`, as for damage.
 */
export function inflate(bytes: Buffer, maxBytes: number, partial = false): Buffer {
  try {
    // One buffer of the expected size: the default chunk of 16 KiB for each small object doubles the time.
    const chunkSize = Math.min(Math.max(64, maxBytes + 1), 64 * 1024);
    return inflateSync(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize });
  } catch (cause) {
    const tooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    if (tooLarge && partial) return inflateStart(bytes);
    throw damaged('an object', tooLarge ? 'it is larger than it says' : 'its compressed bytes do not read', cause);
  }
}

/** Enough of an oversized loose object to read its header. */
function inflateStart(bytes: Buffer): Buffer {
  // Z_SYNC_FLUSH lets a cut-off stream end without an error; 64 compressed bytes always hold the header.
  return inflateSync(bytes.subarray(0, 64), { finishFlush: 2, maxOutputLength: 1024 * 1024 });
}

/** What Node gives for the option `info`, of which its types know nothing. */
interface InflatedWithEngine {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function hasEngine(result: unknown): result is InflatedWithEngine {
  if (typeof result !== 'object' || result === null || !('buffer' in result && 'engine' in result)) return false;
  const { buffer, engine } = result;
  const isEngine = typeof engine === 'object' && engine !== null && 'bytesWritten' in engine;
  return Buffer.isBuffer(buffer) && isEngine && typeof engine.bytesWritten === 'number';
}

/**
 * The zlib stream that `bytes` begin with, which holds `sizeBytes` bytes, and how long it is itself; throws `RepoInvalid`
 * where it holds more or less.
 */
export function inflateStartOf(bytes: Buffer, sizeBytes: number): { body: Buffer; packedBytes: number } {
  let result: unknown;
  try {
    const chunkSize = Math.min(Math.max(64, sizeBytes + 1), 64 * 1024);
    result = inflateSync(bytes, { maxOutputLength: Math.max(1, sizeBytes), chunkSize, info: true });
  } catch (cause) {
    throw damaged('an object', 'it is larger than it says, or its compressed bytes do not read', cause);
  }
  if (!hasEngine(result)) throw internal('Cannot read an object: zlib does not tell how long it was when compressed');
  if (result.buffer.length !== sizeBytes) throw damaged('an object', 'it is smaller than it says');
  return { body: result.buffer, packedBytes: result.engine.bytesWritten };
}
