/** Changes the files of a work tree together with its index, or neither. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  /** The branch's commits before and after. */
  readonly move: { readonly from: string; readonly to: string };
  /** The held lock of the index; released or committed here. */
  readonly lock: LockFile;
}

/** The changes being made lie in the git directory until they are done: what a crash left is put back from there. */
const journalName = 'tallyman-push';

/** What a push is about to do. */
interface Journal {
  /** The branch's commits before and after. */
  readonly from: string;
  readonly to: string;
  readonly changes: readonly FileChange[];
}

/**
 * Changes the files and the index, then calls `finish` (which moves the ref); when that fails, all is put back. Each
 * file must hold its old or its new content, in the work tree and in the index: else `WorkTreeDirty`, nothing changed.
 *
 * A crash leaves some files and perhaps the index changed, and a journal; while the ref has not moved,
 * `recoverWorkTree` puts them back.
 */
export async function changeWorkTree(change: WorkTreeChange, finish: () => void): Promise<void> {
  const { checkout, lock, changes, move } = change;
  const index = readIndex(checkout);
  const steps = checkSteps(checkout, index, changes);
  const journal = join(checkout.gitDir, journalName);
  const plan: Journal = { from: move.from, to: move.to, changes };
  writeWhole(journal, JSON.stringify(plan), { flush: true });
  try {
    applySteps({ steps, index, lock, readBlob: change.readBlob });
    finish();
  } catch (error) {
    lock.release();
    const again = await lockIndex(checkout, change.signal);
    try {
      undo(change, changes, again);
    } finally {
      again.release();
    }
    rmSync(journal, { force: true });
    throw error;
  }
  rmSync(journal, { force: true });
}

/** Whether a push that crashed may have changed files with the branch still at `tip`; its note is removed where the branch has moved. */
export function needsRecovery(checkout: Checkout, tip: string): boolean {
  const file = join(checkout.gitDir, journalName);
  if (!existsSync(file)) return false;
  if (readJournal(checkout)?.from === tip) return true;
  // By that push or by a person: what the files hold now is theirs.
  rmSync(file, { force: true });
  return false;
}

/** Puts back what a push that crashed has changed; the locks of the index and of the branch, which is at `tip`, are held. */
export function recoverWorkTree(access: Omit<WorkTreeAccess, 'signal'>, tip: string, lock: LockFile): void {
  const journal = readJournal(access.checkout);
  if (journal?.from === tip) undo(access, journal.changes, lock);
  rmSync(join(access.checkout.gitDir, journalName), { force: true });
}

/** What a push left; undefined where there is nothing, or nothing that one of ours wrote. */
function readJournal({ gitDir }: Checkout): Journal | undefined {
  try {
    const journal: Partial<Journal> | null = JSON.parse(readText(join(gitDir, journalName)) ?? 'null');
    const { from, to = '', changes } = journal ?? {};
    return from !== undefined && Array.isArray(changes) ? { from, to, changes } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The index's lock; taken before the ref's, as git does. */
export function lockIndex({ gitDir }: Checkout, signal: AbortSignal): Promise<LockFile> {
  return acquireLock({ file: join(gitDir, 'index'), notesDir: gitDir, signal });
}

/** Files and entries that hold the new content get the old one again; any other is someone else's and stays. */
function undo(
  { checkout, readBlob }: Omit<WorkTreeAccess, 'signal'>,
  changes: readonly FileChange[],
  lock: LockFile,
): void {
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
  // A fixed name, so that what a crash leaves behind is cleared away by the next attempt; short, whatever the file's is.
  const hash = createHash('sha256').update(basename(file)).digest('hex').slice(0, 16);
  const temporary = join(dirname(file), `.tallyman-${hash}`);
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
