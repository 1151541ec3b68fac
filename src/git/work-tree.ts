/** Changes the files of a work tree together with its index, or neither. */
import { chmodSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { workTreeDirty } from './errors.ts';
import type { Checkout } from './git-dir.ts';
import { readText } from './git-dir.ts';
import {
  type FileTimes,
  findIndexEntry,
  formatChangedIndex,
  type GitIndex,
  type IndexChange,
  type IndexEntry,
  parseIndex,
} from './git-index.ts';
import { acquireLock, type LockFile } from './lock-file.ts';
import { createObject } from './object.ts';
import { writeWhole } from './object-write.ts';

/** One file to be changed: the ids of its blob before and after. */
export interface FileChange {
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

interface Step {
  readonly change: FileChange;
  readonly entry: IndexEntry;
  /** Absent for a file that a sparse checkout leaves out. */
  readonly file: string | undefined;
}

export type ReadBlob = (oid: string) => Buffer;

interface WorkTreeAccess {
  readonly checkout: Checkout;
  readonly readBlob: ReadBlob;
  readonly signal: AbortSignal;
}

interface WorkTreeChange extends WorkTreeAccess {
  readonly changes: readonly FileChange[];
  /** The held lock of the index; released or committed here. */
  readonly lock: LockFile;
}

/** The changes being made lie in the git directory until they are done: what a crash left is put back from there. */
const journalName = 'tallyman-push';

/**
 * Changes the files and the index, then calls `finish` (which moves the ref); when that fails, all is put back. Each
 * file must hold its old or its new content, in the work tree and in the index: else `WorkTreeDirty`, nothing changed.
 *
 * A crash leaves some files and perhaps the index changed, the ref not, and a journal; `recoverWorkTree` puts them back.
 */
export async function changeWorkTree(change: WorkTreeChange, finish: () => void): Promise<void> {
  const { checkout, lock, changes } = change;
  const index = readIndex(checkout);
  const steps = checkSteps(checkout, index, changes);
  const journal = join(checkout.gitDir, journalName);
  writeWhole(journal, JSON.stringify(changes), { flush: true });
  try {
    applySteps({ steps, index, lock, readBlob: change.readBlob });
    finish();
  } catch (error) {
    lock.release();
    await undo(change, changes);
    rmSync(journal, { force: true });
    throw error;
  }
  rmSync(journal, { force: true });
}

/** Puts back what a push that crashed has changed, where the branch (`findTipBlob`) still has the old content. */
export async function recoverWorkTree(
  access: WorkTreeAccess,
  findTipBlob: () => (path: string) => string | undefined,
): Promise<void> {
  const file = join(access.checkout.gitDir, journalName);
  const text = readText(file);
  if (text === undefined) return;
  const changes: readonly FileChange[] = JSON.parse(text);
  const find = findTipBlob();
  await undo(
    access,
    changes.filter((change) => find(change.path) === change.from),
  );
  rmSync(file, { force: true });
}

/** The index's lock; taken before the ref's, as git does. */
export function lockIndex({ gitDir }: Checkout, signal: AbortSignal): Promise<LockFile> {
  return acquireLock({ file: join(gitDir, 'index'), notesDir: gitDir, signal });
}

/** Files and entries that hold the new content get the old one again; any other is someone else's and stays. */
async function undo({ checkout, readBlob, signal }: WorkTreeAccess, changes: readonly FileChange[]): Promise<void> {
  const lock = await lockIndex(checkout, signal);
  try {
    const index = readIndex(checkout);
    const steps = changes.flatMap(({ path, from, to }): Step[] => {
      const known = (oid: string): boolean => oid === from || oid === to;
      const entry = findIndexEntry(index, path);
      const file = findWorkFile(checkout, path);
      const fits = file === undefined ? entry?.skipsWorkTree === true : known(hashFile(file));
      const ours = entry?.stage === 0 && known(entry.oid) && fits;
      return ours ? [{ change: { path, from: to, to: from }, entry, file }] : [];
    });
    applySteps({ steps, index, lock, readBlob });
  } finally {
    lock.release();
  }
}

function readIndex({ gitDir }: Checkout): GitIndex {
  return parseIndex(readFileSync(join(gitDir, 'index')));
}

function checkSteps(checkout: Checkout, index: GitIndex, changes: readonly FileChange[]): Step[] {
  const dirty: string[] = [];
  const steps: Step[] = [];
  for (const change of changes) {
    const known = (oid: string | undefined): boolean => oid === change.from || oid === change.to;
    const entry = findIndexEntry(index, change.path);
    const file = findWorkFile(checkout, change.path);
    const fits = file === undefined ? entry?.skipsWorkTree === true : known(hashFile(file));
    if (entry?.stage === 0 && known(entry.oid) && fits) steps.push({ change, entry, file });
    else dirty.push(change.path);
  }
  if (dirty.length > 0)
    throw workTreeDirty(
      dirty,
      'it differs from the commit (a local change, or an end-of-line or filter setting), the same bytes were wanted',
    );
  return steps;
}

interface Applying {
  readonly steps: readonly Step[];
  readonly index: GitIndex;
  readonly lock: LockFile;
  readonly readBlob: ReadBlob;
}

/** Work files first: an index ahead of its files would look like a person's change that takes the version back. */
function applySteps({ steps, index, lock, readBlob }: Applying): void {
  const changes = steps.map(({ change, entry, file }): IndexChange => {
    if (file !== undefined) replaceFile(file, readBlob(change.to));
    return { entry, oid: change.to, times: file === undefined ? undefined : readTimes(file) };
  });
  lock.write(formatChangedIndex(index, changes));
  lock.commit();
}

/** The work file's path where it is a regular file reached through real folders; undefined else. */
function findWorkFile({ workTree }: Checkout, path: string): string | undefined {
  const folders = path.split('/').slice(0, -1);
  const reached = folders.every((_, index) =>
    lstatSync(join(workTree, ...folders.slice(0, index + 1)), { throwIfNoEntry: false })?.isDirectory(),
  );
  const file = join(workTree, path);
  return reached && lstatSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

function hashFile(file: string): string {
  return createObject('blob', readFileSync(file)).oid;
}

function readTimes(file: string): FileTimes {
  return lstatSync(file, { bigint: true });
}

/** The file under its name is the old or the new one, never half; permissions are kept. */
function replaceFile(file: string, bytes: Buffer): void {
  const { mode } = lstatSync(file);
  // A fixed name, so that what a crash leaves behind is cleared away by the next attempt.
  const temporary = join(dirname(file), `.${basename(file)}.tallyman-new`);
  rmSync(temporary, { force: true });
  try {
    writeFileSync(temporary, bytes, { flag: 'wx' });
    chmodSync(temporary, mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
