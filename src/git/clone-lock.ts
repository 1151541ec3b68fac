/** Who may change a kept clone: several processes can share a state folder, one at a time writes. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCode } from '../error/find-code.ts';
import { repoUnavailable } from './errors.ts';
import { readText } from './git-dir.ts';
import { isAlive } from './lock-file.ts';

export interface CloneLockTimes {
  /** The owner shows that it is alive so often. */
  readonly beatMs: number;
  /** Silent for so long, an owner on another host is taken for dead. */
  readonly staleMs: number;
  /** Longest wait for another owner. */
  readonly waitMs: number;
}

const usualTimes: CloneLockTimes = { beatMs: 5_000, staleMs: 120_000, waitMs: 120_000 };
/** Locks of this very process, so that those of a dead one with the same number (1, in a container) are known. */
const ownIds = new Set<string>();

/** Runs while `<dir>.lock` is held; throws `RepoUnavailable` where another process holds it too long. */
export async function withCloneLock<T>(
  { dir, signal, times = usualTimes }: { dir: string; signal: AbortSignal; times?: CloneLockTimes },
  run: () => Promise<T>,
): Promise<T> {
  const lock = `${dir}.lock`;
  const id = randomUUID();
  const note = JSON.stringify({ pid: process.pid, host: hostname(), id });
  await mkdir(dirname(dir), { recursive: true, mode: 0o700 });
  ownIds.add(id);
  let beat: NodeJS.Timeout | undefined;
  try {
    await take({ lock, note, signal, times });
    beat = setInterval(() => utimes(lock, new Date(), new Date()).catch(() => undefined), times.beatMs).unref();
    return await run();
  } finally {
    clearInterval(beat);
    if (readText(lock) === note) await rm(lock, { force: true });
    ownIds.delete(id);
  }
}

interface Taking {
  readonly lock: string;
  readonly note: string;
  readonly signal: AbortSignal;
  readonly times: CloneLockTimes;
}

async function take({ lock, note, signal, times }: Taking): Promise<void> {
  const until = performance.now() + times.waitMs;
  while (!(await tryWrite(lock, note))) {
    if (await removeStale(lock, times.staleMs)) continue;
    if (performance.now() > until)
      throw repoUnavailable(`Cannot lock the kept clone: another process holds "${lock}", its release was wanted`);
    await sleep(20 + Math.random() * 80, undefined, { signal });
  }
}

/** Makes the file with all its text, or not at all: an empty one would hold everybody up until it is stale. False where there is one. */
async function tryWrite(file: string, text: string): Promise<boolean> {
  const aside = `${file}-${randomUUID()}`;
  try {
    await writeFile(aside, text, { flag: 'wx' });
    await link(aside, file).catch((error: unknown) => {
      // A file system without hard links.
      if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(findCode(error) ?? ''))
        return writeFile(file, text, { flag: 'wx' });
      throw error;
    });
    return true;
  } catch (error) {
    if (findCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** Removes the lock of an owner that is gone; true where it did. */
async function removeStale(lock: string, staleMs: number): Promise<boolean> {
  const text = readText(lock);
  const written = await stat(lock).catch(() => undefined);
  if (text === undefined || written === undefined) return false;
  if (!isOwnerGone(text) && Date.now() - written.mtimeMs < staleMs) return false;
  const aside = `${lock}-${randomUUID()}`;
  try {
    await rename(lock, aside);
  } catch {
    return false;
  }
  const moved = readText(aside) ?? '';
  await rm(aside, { force: true });
  if (moved === text) return true;
  // Another process had removed the stale lock just before, and this one is its own: back with it.
  await tryWrite(lock, moved);
  return false;
}

/** Whether the note names a process of this host that does not run any more. */
function isOwnerGone(text: string): boolean {
  const [, pid, host, id] = /^\{"pid":(\d+),"host":(".*"),"id":"([0-9a-f-]+)"\}$/.exec(text) ?? [];
  if (pid === undefined || id === undefined || host !== JSON.stringify(hostname())) return false;
  return Number(pid) === process.pid ? !ownIds.has(id) : !isAlive(Number(pid));
}
