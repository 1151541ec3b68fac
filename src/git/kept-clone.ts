/** The bare clone that is kept between passes and restarts: made, brought up to date, made again when damaged. */
import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findCode } from '../error/find-code.ts';
import { initCloneDir, isPartial, readShallow, receive } from './clone-dir.ts';
import { withCloneLock } from './clone-lock.ts';
import type { BuiltCommit } from './commit.ts';
import { damaged, fromFileSystem, isRefusal, repoInvalid, repoUnavailable } from './errors.ts';
import type { FetchRequest } from './fetch-pack.ts';
import { readText } from './git-dir.ts';
import type { NewObject } from './object.ts';
import { createObjectStore, type ObjectStore } from './object-store.ts';
import { writeObjects, writePack, writeWhole } from './object-write.ts';
import type { FormattedPack } from './pack-write.ts';
import type { Advertisement, Tip } from './remote-refs.ts';
import type { GitTransport } from './transport.ts';

export interface KeptClone {
  /** Makes the tip's objects available, downloading only what is missing; gives the commit that is there then. */
  update(tip: Tip, options: { signal: AbortSignal }): Promise<string>;
  /** The clone's objects; only after `update`. */
  objects(): ObjectStore;
  /** Keeps a commit that the remote has accepted, so that it is not downloaded. */
  add(accepted: Accepted, options: { signal: AbortSignal }): Promise<void>;
  /**
   * Downloads more than the tip. What to ask for is decided while no other process changes the clone; undefined asks for
   * nothing.
   */
  download(choose: (here: Here) => FetchRequest | undefined, options: { signal: AbortSignal }): Promise<void>;
  /** Keeps single objects. */
  addObjects(objects: readonly NewObject[], options: { signal: AbortSignal }): Promise<void>;
  /** The commits that are there without their parents. */
  shallow(): ReadonlySet<string>;
  /** Whether blobs of the past are missing that the remote has. */
  isPartial(): boolean;
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

/** What a clone has when something is to be downloaded into it. */
export interface Here {
  readonly shallow: ReadonlySet<string>;
  /** The commit that is there with all its files. */
  readonly tip: string;
  readonly store: ObjectStore;
}

/** Where a clone comes from. */
export interface CloneSource {
  readonly transport: GitTransport;
  server(options: { signal: AbortSignal }): Promise<Advertisement>;
}

/**
 * A clone in `dir`, which appears there by one rename when it is complete. Several processes may share it: they read at
 * any time, and change it one after the other (`withCloneLock`).
 */
export function createKeptClone(dir: string, source: CloneSource): KeptClone {
  const { transport } = source;
  let store: ObjectStore | undefined;
  /** Which of the folders that were at `dir` one after the other the store has open. */
  let seen: string | undefined;
  let ref: string | undefined;
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
    const made = createObjectStore(join(gitDir, 'objects'));
    try {
      await initCloneDir(gitDir, { ref: tip.ref, url: transport.shownUrl });
      await receiveTip({ gitDir, store: made, source, tip }, signal);
      const first = await moveIntoPlace(gitDir, dir);
      const opened = open();
      return first ? tip.commit : await bring(opened, tip, signal);
    } finally {
      made.close();
      await rm(gitDir, { recursive: true, force: true });
    }
  };
  const bring = async (opened: ObjectStore, tip: Tip, signal: AbortSignal): Promise<string> => {
    const isThere = (): boolean => readRef(dir, tip.ref) === tip.commit && opened.has(tip.commit);
    if (isThere()) return tip.commit;
    return withCloneLock({ dir, signal }, async () => {
      if (!existsSync(join(dir, 'objects', 'pack')) || !existsSync(join(dir, 'config')))
        throw damaged('the kept clone', 'it was removed while it was in use, or parts of it were');
      if (!isThere()) await receiveTip({ gitDir: dir, store: opened, source, tip }, signal);
      return tip.commit;
    });
  };
  return {
    async update(tip, { signal }) {
      try {
        ref = tip.ref;
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
        // Only what the pack builds on makes it complete.
        if (!existsSync(dir) || readRef(dir, ref) !== built.base) return;
        writePack(join(dir, 'objects'), pack);
        writeRef(dir, ref, built.oid);
      }),
    download: (choose, { signal }) =>
      withCloneLock({ dir, signal }, async () => {
        const tip = ref && readRef(dir, ref);
        if (!tip || !ref) throw damaged('the kept clone', 'it was removed while it was in use');
        const opened = store ?? open();
        const request = choose({ shallow: readShallow(dir), tip, store: opened });
        if (request === undefined) return;
        const server = await source.server({ signal });
        await receive({ gitDir: dir, store: opened, transport, server, request, ref }, { signal });
      }),
    addObjects: (objects, { signal }) =>
      withCloneLock({ dir, signal }, async () => {
        if (existsSync(dir)) writeObjects(join(dir, 'objects'), objects);
      }),
    shallow: () => readShallow(dir),
    isPartial: () => isPartial(dir),
    discard,
    close: () => store?.close(),
  };
}

interface TipReceiving {
  readonly gitDir: string;
  readonly store: ObjectStore;
  readonly source: CloneSource;
  readonly tip: Tip;
}

/**
 * Downloads the commit with all its files, and nothing of its past, whatever became of the branch. Of what is here, only
 * the last tip is sure to have all its files, so that is all that the server is told.
 */
async function receiveTip({ gitDir, store, source, tip }: TipReceiving, signal: AbortSignal): Promise<void> {
  const { transport } = source;
  const old = readRef(gitDir, tip.ref);
  const haves = old !== undefined && store.has(old) ? [old] : [];
  const request: FetchRequest = { wants: [tip.commit], haves, shallow: haves, depth: 1 };
  try {
    const server = await source.server({ signal });
    await receive({ gitDir, store, transport, server, request, ref: tip.ref }, { signal });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw repoUnavailable(`Cannot fetch Yaml repo "${transport.shownUrl}": its branch moved meanwhile`, error);
  }
  if (!store.has(tip.commit))
    throw repoInvalid(`Cannot fetch Yaml repo "${transport.shownUrl}": the server's pack lacks the commit asked for`);
  writeRef(gitDir, tip.ref, tip.commit);
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

function readRef(gitDir: string, ref: string): string | undefined {
  return readText(join(gitDir, ref))?.trim();
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
