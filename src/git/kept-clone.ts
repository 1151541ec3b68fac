/** The bare clone that is kept between passes and restarts: made, brought up to date, made again when damaged. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BuiltCommit } from './commit.ts';
import { cloneBranch, fetchBranch } from './download.ts';
import { fromFileSystem } from './errors.ts';
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
  add(built: BuiltCommit, pack: FormattedPack, ref: string): void;
  /** Throws the clone away; the next `update` makes it again. */
  discard(): Promise<void>;
  close(): void;
}

/** Each fetch and each push adds a pack; above this a new clone is cheaper than looking through them all. */
const maxPacks = 200;
/** A clone that was being made so long ago belongs to a process that is gone. */
const abandonedAfterMs = 6 * 3600 * 1000;

/** A clone in `dir`, which appears there by one rename when it is complete. */
export function createKeptClone(dir: string, transport: GitTransport): KeptClone {
  let store: ObjectStore | undefined;
  const discard = async (): Promise<void> => {
    store?.close();
    store = undefined;
    const old = `${dir}.old-${randomUUID()}`;
    if (existsSync(dir)) await rename(dir, old);
    await rm(old, { recursive: true, force: true });
  };
  const make = async (ref: string, signal: AbortSignal): Promise<string> => {
    await discard();
    await mkdir(dirname(dir), { recursive: true, mode: 0o700 });
    await removeAbandoned(dir);
    const gitDir = `${dir}.new-${randomUUID()}`;
    try {
      const commit = await cloneBranch({ gitDir, transport, ref, signal });
      writeRef(gitDir, ref, commit);
      await rename(gitDir, dir);
      store = createObjectStore(join(dir, 'objects'));
      return commit;
    } catch (error) {
      await rm(gitDir, { recursive: true, force: true });
      throw error;
    }
  };
  const openOrMake = async ({ ref, commit }: Tip, signal: AbortSignal): Promise<string> => {
    if (store === undefined && existsSync(dir)) store = createObjectStore(join(dir, 'objects'));
    if (store === undefined || store.countPacks() > maxPacks) return make(ref, signal);
    const there = store.has(commit) ? commit : await fetchBranch({ gitDir: dir, transport, ref, signal });
    writeRef(dir, ref, there);
    return there;
  };
  return {
    async update(tip, { signal }) {
      try {
        return await openOrMake(tip, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw fromFileSystem(error, 'the kept clone');
      }
    },
    objects() {
      store ??= createObjectStore(join(dir, 'objects'));
      return store;
    },
    add(built, pack, ref) {
      writePack(join(dir, 'objects'), pack);
      writeRef(dir, ref, built.oid);
    },
    discard,
    close: () => store?.close(),
  };
}

/** The local ref is what the next fetch names as already there. */
function writeRef(gitDir: string, ref: string, commit: string): void {
  writeWhole(join(gitDir, ref), `${commit}\n`, { flush: true });
}

async function removeAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dirname(dir))) {
    if (!name.startsWith(`${basename(dir)}.`)) continue;
    const path = join(dirname(dir), name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}
