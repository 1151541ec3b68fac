/** Reads objects out of a git directory: packs, loose objects, alternates. Never writes. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { findCode } from '../error/find-code.ts';
import { missingObject } from './errors.ts';
import { type Found, type GitObject, maxMetadataBytes, parseLoose } from './object.ts';
import { openPack, type PackReader } from './pack-reader.ts';

export interface ObjectStore {
  /** The object, or undefined where the store has none of that id. Throws `RepoInvalid` on damage. */
  find(oid: string, maxBytes: number): Found | undefined;
  /** The object as a base of deltas; undefined where it is not there or too large for that. */
  findBase(oid: string): GitObject | undefined;
  /** Whether the store has the object, without reading it. */
  has(oid: string): boolean;
  /** Each blob by id, in one pass over the packs; blobs above `maxBytes` are left out. Throws `RepoInvalid` where one is missing. */
  readBlobs(oids: Iterable<string>, options: ReadBlobsOptions): Promise<Map<string, Buffer>>;
  /** Packs open now, alternates included. */
  countPacks(): number;
  close(): void;
}

interface ReadBlobsOptions {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

interface Location {
  readonly pack: PackReader;
  readonly offset: number;
}

/** git itself follows alternates five deep. */
const maxAlternatesDepth = 5;
/** The event loop gets a turn after so many objects. */
const objectsPerTurn = 256;
/** A loose file above this is not read whole into memory just to learn its size. */
const maxLooseFileBytes = 256 * 1024 * 1024;

/** A store over `<git directory>/objects`. Sources: git's "gitrepository-layout", "gitformat-pack", "gitformat-loose". */
export function createObjectStore(objectsDir: string): ObjectStore {
  const folders = listObjectFolders(objectsDir, 0);
  const packs = new Map<string, PackReader>();
  const findBase = (oid: string): GitObject | undefined => {
    const found = find(oid, maxMetadataBytes);
    return found && 'body' in found ? found : undefined;
  };
  /** Opens packs that are new since the last look, closes those whose files are gone; true where there were new ones. */
  const refresh = (): boolean => {
    const stems = new Set(folders.flatMap(listPacks));
    let opened = false;
    for (const stem of stems) {
      const pack = packs.has(stem) ? undefined : openIfThere(() => openPack(stem, findBase));
      if (pack === undefined) continue;
      packs.set(stem, pack);
      opened = true;
    }
    for (const [stem, pack] of packs) {
      if (stems.has(stem)) continue;
      packs.delete(stem);
      pack.close();
    }
    return opened;
  };
  const locate = (oid: string): Location | undefined => {
    for (const pack of packs.values()) {
      const offset = pack.index.find(oid);
      if (offset !== undefined) return { pack, offset };
    }
    return undefined;
  };
  const findLoose = (oid: string, maxBytes: number): Found | undefined => {
    for (const folder of folders) {
      const path = looseFile(folder, oid);
      const bytes = openIfThere(() => (statSync(path).size > maxLooseFileBytes ? undefined : readFileSync(path)));
      if (bytes !== undefined) return parseLoose(bytes, maxBytes);
    }
    return undefined;
  };
  const find = (oid: string, maxBytes: number): Found | undefined => {
    const location = locate(oid);
    if (location) return location.pack.read(location.offset, maxBytes);
    const loose = findLoose(oid, maxBytes);
    // Someone else's `git gc` may have moved it into a pack since the last look.
    if (loose === undefined && refresh()) return find(oid, maxBytes);
    return loose;
  };
  refresh();
  return {
    find,
    findBase,
    has: (oid) =>
      locate(oid) !== undefined ||
      folders.some((folder) => existsSync(looseFile(folder, oid))) ||
      (refresh() && locate(oid) !== undefined),
    readBlobs: (oids, options) => readBlobs({ oids, locate, find, ...options }),
    countPacks: () => packs.size,
    close() {
      for (const pack of packs.values()) pack.close();
      packs.clear();
    },
  };
}

interface BlobReading extends ReadBlobsOptions {
  readonly oids: Iterable<string>;
  readonly locate: (oid: string) => Location | undefined;
  readonly find: (oid: string, maxBytes: number) => Found | undefined;
}

async function readBlobs({ oids, locate, find, maxBytes, signal }: BlobReading): Promise<Map<string, Buffer>> {
  const places = [...new Set(oids)].map((oid) => ({ oid, offset: locate(oid)?.offset ?? 0 }));
  // In the order of the pack, so that the reads go forward and the bases of deltas are met first.
  places.sort((a, b) => a.offset - b.offset);
  const blobs = new Map<string, Buffer>();
  let sinceTurn = 0;
  for (const { oid } of places) {
    if (++sinceTurn % objectsPerTurn === 0) await setImmediate();
    signal.throwIfAborted();
    // Looked up again: its pack may have been closed by another reader meanwhile.
    const found = find(oid, maxBytes);
    if (found === undefined) throw missingObject(oid);
    if ('body' in found) blobs.set(oid, found.body);
  }
  return blobs;
}

/** `objects/ab/cdef…` */
export function looseFile(objectsDir: string, oid: string): string {
  return join(objectsDir, oid.slice(0, 2), oid.slice(2));
}

/** The folder and its alternates, each once. */
function listObjectFolders(objectsDir: string, depth: number): string[] {
  const text = openIfThere(() => readFileSync(join(objectsDir, 'info', 'alternates'), 'utf8')) ?? '';
  const others = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => resolve(objectsDir, line));
  const deeper = depth < maxAlternatesDepth ? others.flatMap((other) => listObjectFolders(other, depth + 1)) : [];
  return [...new Set([objectsDir, ...deeper])];
}

function listPacks(objectsDir: string): string[] {
  const names = openIfThere(() => readdirSync(join(objectsDir, 'pack'))) ?? [];
  const there = new Set(names);
  return names
    .filter((name) => name.endsWith('.idx') && there.has(name.replace(/idx$/, 'pack')))
    .map((name) => join(objectsDir, 'pack', name.slice(0, -'.idx'.length)));
}

/** The result, or undefined where the file is not there (any more). */
function openIfThere<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    const code = findCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
