/** Writes objects into a git directory: each file is there whole or not at all. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';

import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatLoose, type NewObject } from './object.ts';
import { looseFile } from './object-store.ts';
import { type FormattedPack, formatPack } from './pack-write.ts';

/** git's own receive.unpackLimit: from so many objects on, one pack is cheaper than loose files. */
const packFrom = 100;

/** Stores the objects, loose or as one pack. Sources: git's "gitrepository-layout", "gitformat-loose". */
export function writeObjects(objectsDir: string, objects: readonly NewObject[]): void {
  if (objects.length >= packFrom) {
    writePack(objectsDir, formatPack(objects));
    return;
  }
  for (const object of objects) {
    const file = looseFile(objectsDir, object.oid);
    const now = new Date();
    // As git does: an old object that nothing names is younger now, so that `git gc` does not prune it under us.
    if (existsSync(file)) utimesSync(file, now, now);
    else writeWhole(file, formatLoose(object), { mode: 0o444, temporaryName: `tmp_obj_${randomUUID()}` });
  }
}

/** Stores a pack with its index. */
export function writePack(objectsDir: string, { pack, index, checksum }: FormattedPack): void {
  const stem = join(objectsDir, 'pack', `pack-${checksum}`);
  // The index last: a pack without one is not seen. `tmp_` files are git's to clear away after a crash.
  writeWhole(`${stem}.pack`, pack, { mode: 0o444, temporaryName: `tmp_pack_${randomUUID()}`, flush: true });
  writeWhole(`${stem}.idx`, index, { mode: 0o444, temporaryName: `tmp_idx_${randomUUID()}`, flush: true });
}

/**
 * As `writePack`, without holding up the event loop. A `promisor` pack may name objects that are not there. Source: git's
 * "partial-clone".
 */
export async function storePack(
  objectsDir: string,
  { pack, index, checksum }: FormattedPack,
  { promisor }: { promisor: boolean },
): Promise<void> {
  const folder = join(objectsDir, 'pack');
  const name = `pack-${checksum}`;
  const parts: [string, Buffer][] = [
    ['pack', pack],
    ...(promisor ? [['promisor', Buffer.alloc(0)] as [string, Buffer]] : []),
    ['idx', index],
  ];
  for (const [kind, bytes] of parts) {
    const temporary = join(folder, `tmp_${kind}_${randomUUID()}`);
    try {
      await writeFile(temporary, bytes, { mode: 0o444, flag: 'wx', flush: true });
      await rename(temporary, join(folder, `${name}.${kind}`));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

interface WriteOptions {
  readonly mode?: number;
  /** Name of the file until it is complete, in the same folder. */
  readonly temporaryName?: string;
  /** Waits until the bytes are on the disk. */
  readonly flush?: boolean;
}

/** Writes beside the file and renames; makes the folder where it is missing. */
export function writeWhole(file: string, bytes: Uint8Array | string, options: WriteOptions = {}): void {
  const temporary = join(dirname(file), options.temporaryName ?? `.tmp-${randomUUID()}`);
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(temporary, bytes, { mode: options.mode ?? 0o666, flag: 'wx', flush: options.flush ?? false });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
