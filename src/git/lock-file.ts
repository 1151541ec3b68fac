/** git's lock files: `<file>.lock`, made by whoever comes first, renamed over `<file>` when done. Source: git's "lockfile" API. */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCode } from '../error/find-code.ts';
import { TallymanError } from '../error/tallyman-error.ts';

export interface LockFile {
  /** Replaces the lock's content: what `file` will be. */
  write(bytes: Uint8Array | string): void;
  /** Renames the lock over the file, whose permissions are kept. */
  commit(): void;
  /** Gives up the lock; does nothing after `commit`. */
  release(): void;
}

interface LockOptions {
  /** The file that is locked. */
  readonly file: string;
  /** Folder on the same file system where the owner's note lies while the lock is held. */
  readonly notesDir: string;
  readonly signal: AbortSignal;
}

/** Together 2 s: git holds a lock for milliseconds, an editor left open for hours. */
const waitsMs = [10, 20, 40, 80, 150, 300, 600, 800];
const notePrefix = `tallyman-lock-${hostname().replace(/[^A-Za-z0-9.]/g, '_')}-`;
/** Notes of this very process, so that those of a dead one with the same number (1, in a container) are known. */
const ownNotes = new Set<string>();

/**
 * Takes the lock, waiting a little; throws `RepoUnavailable` while another holds it. The lock is a hard link to a note
 * with our process number, so that one left behind by a crash of ours is recognised and removed; git's never is.
 */
export async function acquireLock({ file, notesDir, signal }: LockOptions): Promise<LockFile> {
  const lock = `${file}.lock`;
  mkdirSync(dirname(file), { recursive: true });
  removeStale(lock, notesDir);
  const name = `${notePrefix}${process.pid}-${randomUUID()}`;
  const note = join(notesDir, name);
  writeFileSync(note, '', { flag: 'wx' });
  ownNotes.add(name);
  const drop = (): void => {
    rmSync(note, { force: true });
    ownNotes.delete(name);
  };
  try {
    for (const waitMs of [0, ...waitsMs]) {
      if (waitMs > 0) await sleep(waitMs * (0.5 + Math.random()), undefined, { signal });
      if (tryLink(note, lock)) return createHeld({ file, lock, drop });
    }
    throw new TallymanError(
      'RepoUnavailable',
      `Cannot lock "${file}": another process holds "${lock}", its release was wanted`,
      { remedy: `Close the Git command that is running there; where none is, remove "${lock}".` },
    );
  } catch (error) {
    drop();
    throw error;
  }
}

function tryLink(note: string, lock: string): boolean {
  try {
    linkSync(note, lock);
    return true;
  } catch (error) {
    const code = findCode(error);
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
  }
  // A file system without hard links: the lock works, only its owner is not known after a crash.
  try {
    writeFileSync(lock, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if (findCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function createHeld({ file, lock, drop }: { file: string; lock: string; drop: () => void }): LockFile {
  let held = true;
  return {
    write: (bytes) => writeFileSync(lock, bytes),
    commit() {
      if (existsSync(file)) chmodSync(lock, statSync(file).mode);
      renameSync(lock, file);
      held = false;
      drop();
    },
    release() {
      if (!held) return;
      held = false;
      rmSync(lock, { force: true });
      drop();
    },
  };
}

/** Removes the notes of dead processes of this host, and the lock where it is one of theirs. */
function removeStale(lock: string, notesDir: string): void {
  for (const name of readdirSync(notesDir)) {
    if (!name.startsWith(notePrefix) || ownNotes.has(name)) continue;
    const pid = Number.parseInt(name.slice(notePrefix.length), 10);
    if (pid !== process.pid && isAlive(pid)) continue;
    const note = join(notesDir, name);
    if (isSameFile(note, lock)) takeAway(lock, note);
    // Where the note belongs to another lock, that one is found by whoever wants it next.
    if (lstatSync(note, { throwIfNoEntry: false })?.nlink === 1) rmSync(note, { force: true });
  }
}

/** Removes the lock where it is still the dead owner's: another process may have removed that just before, and made its own. */
function takeAway(lock: string, note: string): void {
  // A name that git takes for no ref.
  const aside = `${lock}-${randomUUID()}.lock`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (findCode(error) === 'ENOENT') return;
    throw error;
  }
  if (!isSameFile(note, aside)) tryLink(aside, lock);
  rmSync(aside, { force: true });
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => lstatSync(path, { throwIfNoEntry: false, bigint: true }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** Whether a process of this host has that number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return findCode(error) !== 'ESRCH';
  }
}
