/** The bare clone that is kept between passes and restarts: made, brought up to date, made again when damaged. */
import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { withCloneLock } from './clone-lock.ts';
import type { BuiltCommit } from './commit.ts';
import { cloneBranch, fetchBranch } from './download.ts';
import { damaged, findCode, fromFileSystem } from './errors.ts';
import { readText } from './git-dir.ts';
import { createObjectStore, type ObjectStore } from './object-store.ts';
import { writePack, writeWhole } from './object-write.ts';
import type { FormattedPack } from './pack-write.ts';
import type { Tip } from './remote-refs.ts';
import type { GitTransport } from './transport.ts';

export interface KeptClone {
  /** Makes the tip's objects available, downloading only what is missing; gives the commit that is there then. */
  update(tip: Tip, options: { signal: AbortSignal }): Promise<string>;
  /** The clone's objects; only after `update`. */
  objects(): ObjectStore;
  /** Keeps a commit that the remote has accepted, so that it is not downloaded. */
  add(accepted: Accepted, options: { signal: AbortSignal }): Promise<void>;
  /** Throws the clone away; the next `update` makes it again. */
  discard(options: { signal: AbortSignal }): Promise<void>;
  close(): void;
}

/** A commit that was pushed. */
export interface Accepted {
  readonly built: BuiltCommit;
  readonly pack: FormattedPack;
  readonly ref: string;
}

/** Each fetch and each push adds a pack; above this a new clone is cheaper than looking through them all. */
const maxPacks = 200;
/** A clone that was being made so long ago belongs to a process that is gone. */
const abandonedAfterMs = 6 * 3600 * 1000;

/**
 * A clone in `dir`, which appears there by one rename when it is complete. Several processes may share it: they read at
 * any time, and change it one after the other (`withCloneLock`).
 */
export function createKeptClone(dir: string, transport: GitTransport): KeptClone {
  let store: ObjectStore | undefined;
  /** Which of the folders that were at `dir` one after the other the store has open. */
  let seen: string | undefined;
  const open = (): ObjectStore => {
    seen = identify(dir);
    store = createObjectStore(join(dir, 'objects'));
    return store;
  };
  const discard = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
    store?.close();
    store = undefined;
    const old = `${dir}.old-${randomUUID()}`;
    await withCloneLock({ dir, signal }, async () => {
      // Another process may have made it again already.
      if (existsSync(dir) && identify(dir) === seen) await rename(dir, old);
    });
    await rm(old, { recursive: true, force: true });
  };
  const make = async (tip: Tip, signal: AbortSignal): Promise<string> => {
    await mkdir(dirname(dir), { recursive: true, mode: 0o700 });
    await removeAbandoned(dir);
    const gitDir = `${dir}.new-${randomUUID()}`;
    try {
      const commit = await cloneBranch({ gitDir, transport, ref: tip.ref, signal });
      writeRef(gitDir, tip.ref, commit);
      const first = await moveIntoPlace(gitDir, dir);
      const opened = open();
      return first ? commit : await bring(opened, tip, signal);
    } finally {
      await rm(gitDir, { recursive: true, force: true });
    }
  };
  const bring = async (opened: ObjectStore, { ref, commit }: Tip, signal: AbortSignal): Promise<string> => {
    if (opened.has(commit) && readText(join(dir, ref))?.trim() === commit) return commit;
    return withCloneLock({ dir, signal }, async () => {
      if (!existsSync(dir)) throw damaged('the kept clone', 'it was removed while it was in use');
      const there = opened.has(commit) ? commit : await fetchBranch({ gitDir: dir, transport, ref, signal });
      writeRef(dir, ref, there);
      return there;
    });
  };
  return {
    async update(tip, { signal }) {
      try {
        if (store !== undefined && store.countPacks() > maxPacks) await discard({ signal });
        if (!existsSync(dir)) return await make(tip, signal);
        return await bring(store ?? open(), tip, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw fromFileSystem(error, 'the kept clone');
      }
    },
    objects: () => store ?? open(),
    add: ({ built, pack, ref }, { signal }) =>
      withCloneLock({ dir, signal }, async () => {
        if (!existsSync(dir)) return;
        writePack(join(dir, 'objects'), pack);
        writeRef(dir, ref, built.oid);
      }),
    discard,
    close: () => store?.close(),
  };
}

/** Tells one folder at the path from another that took its place; undefined where there is none. */
function identify(dir: string): string | undefined {
  const stats = statSync(dir, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.birthtimeNs}`;
}

/** False where another process was first: its clone stays. */
async function moveIntoPlace(gitDir: string, dir: string): Promise<boolean> {
  try {
    await rename(gitDir, dir);
    return true;
  } catch (error) {
    const code = findCode(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

/** The local ref is what the next fetch names as already there. */
function writeRef(gitDir: string, ref: string, commit: string): void {
  writeWhole(join(gitDir, ref), `${commit}\n`, { flush: true });
}

async function removeAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dirname(dir))) {
    if (!name.startsWith(`${basename(dir)}.`)) continue;
    const path = join(dirname(dir), name);
    // Another process's may be renamed at this moment.
    const mtimeMs = (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now();
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}
