/** Makes room before LMDB writes: where a write of its own fails it frees memory twice, and a full disk behind a map is a signal. */
import { closeSync, fstatSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { readUsedBytes } from './check-data-file.ts';

/** Of the lock file, with something to spare. */
const lockFileBytes = 64 * 1024;
/** The file grows by so much at a time. */
const stepBytes = 64 * 1024;

/** Throws what the file system says where it has no room for the lock file, which LMDB writes through a map. */
export function tryLockRoom(file: string): void {
  const aside = `${file}-${process.pid}`;
  try {
    append(aside, lockFileBytes);
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Has the file hold so many bytes beyond what is in it, as zeros that LMDB takes no notice of. Throws what the file system
 * says where they cannot be had; nothing is lost then. Nobody else may write meanwhile.
 */
export function makeRoom(file: string, bytes: number): void {
  const descriptor = openSync(file, 'r+');
  try {
    const { size } = fstatSync(descriptor);
    const wanted = readUsedBytes(descriptor) + bytes;
    if (wanted > size) append(file, Math.ceil(wanted / stepBytes) * stepBytes - size);
    // Tells a file that takes nothing at all any more.
    else writeSync(descriptor, Buffer.alloc(1), 0, 1, size - 1);
  } finally {
    closeSync(descriptor);
  }
}

function append(file: string, bytes: number): void {
  // Not writeSync(), which is content with a part.
  writeFileSync(file, Buffer.alloc(bytes), { flag: 'a', mode: 0o600 });
}
