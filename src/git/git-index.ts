/** The index of a work tree: finding entries and replacing their ids in place. Source: git's "gitformat-index". */
import { createHash } from 'node:crypto';
import { damaged, repoInvalid } from './errors.ts';

/** `{ path: 'web.yaml', oid: '3b18…', stage: 0, at: 12, … }` */
export interface IndexEntry {
  readonly path: string;
  readonly oid: string;
  /** 0; 1 to 3 while a merge is unresolved. */
  readonly stage: number;
  /** The file is left out of the work tree (sparse checkout). */
  readonly skipsWorkTree: boolean;
  /** Where the entry starts in the file. */
  readonly at: number;
}

export interface GitIndex {
  readonly bytes: Buffer;
  /** By path as latin1 bytes; the first stage found. */
  readonly entries: ReadonlyMap<string, IndexEntry>;
  readonly extensionsAt: number;
}

/** What the file system says of a work file, for git to see that it is unchanged. */
export interface FileTimes {
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
}

const fixedBytes = 62;
/** Kept: they stay true. Dropped: cached trees, and what counts bytes or entries; git makes them again. */
const keptExtensions = ['REUC', 'UNTR', 'sdir'];

/** The index in the file's bytes, versions 2 to 4; throws `RepoInvalid` on damage or a split index. */
export function parseIndex(bytes: Buffer): GitIndex {
  const version = bytes.length < 32 ? 0 : bytes.readUInt32BE(4);
  if (bytes.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 4)
    throw damaged('the index', 'it is no index of version 2, 3 or 4');
  const count = bytes.readUInt32BE(8);
  const entries = new Map<string, IndexEntry>();
  let at = 12;
  let name = '';
  for (let index = 0; index < count; index++) {
    if (at + fixedBytes > bytes.length - 20) throw damaged('the index', 'it is cut off');
    const flags = bytes.readUInt16BE(at + 60);
    const extended = (flags & 0x4000) !== 0;
    const read = readName(bytes, { at: at + fixedBytes + (extended ? 2 : 0), version, previous: name });
    name = read.name;
    const oid = bytes.toString('hex', at + 40, at + 60);
    const skipsWorkTree = extended && (bytes.readUInt16BE(at + 62) & 0x4000) !== 0;
    if (!entries.has(name)) entries.set(name, { path: name, oid, stage: (flags >> 12) & 3, skipsWorkTree, at });
    // Versions 2 and 3 pad each entry with 1 to 8 NULs to a multiple of eight.
    at = version === 4 ? read.end + 1 : at + ((read.end - at + 8) & ~7);
  }
  return { bytes, entries, extensionsAt: at };
}

function readName(
  bytes: Buffer,
  from: { at: number; version: number; previous: string },
): { name: string; end: number } {
  let at = from.at;
  let kept = '';
  if (from.version === 4) {
    let byte = bytes[at++] ?? 0;
    let strip = byte & 0x7f;
    while (byte >= 0x80) {
      byte = bytes[at++] ?? 0;
      strip = (strip + 1) * 128 + (byte & 0x7f);
    }
    kept = from.previous.slice(0, Math.max(0, from.previous.length - strip));
  }
  const end = bytes.indexOf(0, at);
  if (end === -1) throw damaged('the index', 'a name in it has no end');
  return { name: kept + bytes.toString('latin1', at, end), end };
}

/** The entry of that path, or undefined. */
export function findIndexEntry(index: GitIndex, path: string): IndexEntry | undefined {
  return index.entries.get(Buffer.from(path, 'utf8').toString('latin1'));
}

export interface IndexChange {
  readonly entry: IndexEntry;
  readonly oid: string;
  /** Absent for a file that is not in the work tree. */
  readonly times: FileTimes | undefined;
}

/** The index's bytes with these entries' ids and times; modes, flags and all other entries stay byte for byte. */
export function formatChangedIndex(index: GitIndex, changes: readonly IndexChange[]): Buffer {
  const body = Buffer.from(index.bytes.subarray(0, index.extensionsAt));
  for (const { entry, oid, times } of changes) {
    if (times) writeTimes(body, entry.at, times);
    body.write(oid, entry.at + 40, 'hex');
  }
  const whole = Buffer.concat([body, ...listKeptExtensions(index)]);
  // index.skipHash writes zeros for the checksum, and wants them kept.
  const unhashed = index.bytes.subarray(-20).every((byte) => byte === 0);
  return Buffer.concat([whole, unhashed ? Buffer.alloc(20) : createHash('sha1').update(whole).digest()]);
}

function writeTimes(body: Buffer, at: number, times: FileTimes): void {
  const billion = 1_000_000_000n;
  const fields: [number, bigint][] = [
    [0, times.ctimeNs / billion],
    [4, times.ctimeNs % billion],
    [8, times.mtimeNs / billion],
    [12, times.mtimeNs % billion],
    [16, times.dev],
    [20, times.ino],
    [28, times.uid],
    [32, times.gid],
    [36, times.size],
  ];
  // Each field is the low 32 bits of what stat gives; the mode at 24 stays.
  for (const [offset, value] of fields) body.writeUInt32BE(Number(BigInt.asUintN(32, value)), at + offset);
}

function listKeptExtensions({ bytes, extensionsAt }: GitIndex): Buffer[] {
  const kept: Buffer[] = [];
  for (let at = extensionsAt; at + 8 <= bytes.length - 20; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    if (name === 'link')
      throw repoInvalid(
        'Cannot write the index: it is split into two files, one file was wanted',
        'Run `git update-index --no-split-index` in the work tree.',
      );
    if (keptExtensions.includes(name)) kept.push(bytes.subarray(at, end));
    else if (!/^[A-Z]/.test(name)) throw damaged('the index', `it needs an extension "${name}" that is not known`);
    at = end;
  }
  return kept;
}
