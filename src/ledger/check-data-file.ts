/** Looks at a file before LMDB maps it: what is no LMDB file, or was cut off, would end the process there. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { damaged } from './failure.ts';

/** MDB_MAGIC, and the version of LMDB 0.9 and 1.0 as `lmdb` has it. Source: mdb.c, struct MDB_meta. */
const magic = 0xbeefc0de;
const version = 2;
/** Of one of the two pages that LMDB begins with; numbers are in the machine's order, which is little-endian on all we run on. */
const fields = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152, end: 160 } as const;

/** Throws `LedgerUnavailable` where the file is there and is no whole LMDB file. An empty one is as good as none. */
export function checkDataFile(file: string): void {
  // A process that writes meanwhile may have half a page there: it is whole at the second look.
  const fault = findFault(file) && findFault(file);
  if (fault !== undefined) throw damaged(file, fault);
}

function findFault(file: string): string | undefined {
  const descriptor = openIfThere(file);
  if (descriptor === undefined) return undefined;
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return undefined;
    const first = readMeta(descriptor, 0);
    if (first === undefined) return 'it is no LMDB file';
    if (readMeta(descriptor, first.pageSize) === undefined) return 'its second page is damaged';
    const wanted = readUsedBytes(descriptor);
    return fstatSync(descriptor).size < wanted ? `${size} bytes of ${wanted} are there` : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** How much of a whole file is in use; 0 of one that is none. */
export function readUsedBytes(descriptor: number): number {
  const first = readMeta(descriptor, 0);
  const second = first && readMeta(descriptor, first.pageSize);
  if (first === undefined || second === undefined) return 0;
  const { lastPage } = first.transaction > second.transaction ? first : second;
  return (lastPage + 1) * first.pageSize;
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

interface Meta {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
}

function readMeta(descriptor: number, position: number): Meta | undefined {
  const bytes = Buffer.alloc(fields.end);
  if (readSync(descriptor, bytes, 0, fields.end, position) < fields.end) return undefined;
  const pageSize = bytes.readUInt32LE(fields.pageSize);
  const isMeta = bytes.readUInt32LE(fields.magic) === magic && bytes.readUInt32LE(fields.version) === version;
  const isSize = pageSize >= 512 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0;
  if (!isMeta || !isSize) return undefined;
  return {
    pageSize,
    lastPage: Number(bytes.readBigUInt64LE(fields.lastPage)),
    transaction: Number(bytes.readBigUInt64LE(fields.transaction)),
  };
}
