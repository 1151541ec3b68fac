/** The Yaml repo on a server. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Snapshot } from '../pipeline/ports.ts';
import { showBranch } from './branch.ts';
import { isDamage } from './errors.ts';
import { createKeptClone } from './kept-clone.ts';
import { createRemoteBranches } from './remote-branches.ts';
import { createRemoteHistory } from './remote-history.ts';
import { pushCommit, type Remote } from './remote-push.ts';
import { createRemoteRefs, type Tip } from './remote-refs.ts';
import type { SignCommit } from './sign-commit.ts';
import { createSnapshotReader } from './snapshot.ts';
import type { GitTransport } from './transport.ts';
import type { ClosableYamlRepo, Log } from './yaml-repo.ts';

interface RemoteRepoOptions {
  readonly transport: GitTransport;
  readonly branch: string | undefined;
  readonly stateDir: string;
  readonly maxBlobBytes: number;
  readonly sign?: SignCommit | undefined;
  readonly pushOptions: readonly string[];
  readonly log: Log;
}

/** One branch behind a transport, read through a kept clone. */
export function createRemoteRepo(options: RemoteRepoOptions): ClosableYamlRepo {
  const { transport, branch, sign, pushOptions, log } = options;
  const key = createHash('sha256')
    .update(`${transport.shownUrl}\n${branch ?? ''}`)
    .digest('hex')
    .slice(0, 32);
  const refs = createRemoteRefs(transport, branch);
  const clone = createKeptClone(join(options.stateDir, key), { transport, server: refs.server });
  const remote: Remote = { transport, refs, clone, sign, pushOptions, log };
  const history = createRemoteHistory(remote);
  const snapshots = createSnapshotReader();
  let tip: Tip | undefined;
  let current: Snapshot | undefined;
  /** The commit that a new clone did not mend: none is made again until the branch moves. */
  let hopeless: string | undefined;
  /** What cannot be read from the kept clone is read again, once, from a new one. */
  const reading = async <T>(signal: AbortSignal, read: () => T | Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (tip === undefined || !isDamage(error) || hopeless === tip.commit) throw error;
      log('The kept clone is damaged and is made again', { url: transport.shownUrl, found: String(error) });
      return await readAnew(tip, signal, read);
    }
  };
  const readAnew = async <T>(wanted: Tip, signal: AbortSignal, read: () => T | Promise<T>): Promise<T> => {
    try {
      await clone.discard({ signal });
      await clone.update(wanted, { signal });
      return await read();
    } catch (error) {
      if (isDamage(error)) hopeless = wanted.commit;
      throw error;
    }
  };
  /** Anything can be asked for before the first `fetch`. */
  const prepare = async (signal: AbortSignal): Promise<Tip> => {
    if (tip !== undefined) return tip;
    const found = await remote.refs.fetchTip({ signal });
    await clone.update(found, { signal });
    tip = found;
    return tip;
  };
  return {
    async fetch({ signal }) {
      tip = await remote.refs.fetchTip({ signal });
      const wanted = tip;
      if (current?.commit === wanted.commit && current.branch === showBranch(wanted.ref)) return current;
      current = await reading(signal, async () => {
        const commit = await clone.update(wanted, { signal });
        return snapshots.read({ ...wanted, commit }, clone.objects().find);
      });
      return current;
    },
    readBlobs: (oids, { signal }) => {
      const wanted = [...oids];
      return reading(signal, () => history.readBlobs(wanted, { maxBytes: options.maxBlobBytes, signal }));
    },
    async listCommits(from, given) {
      await prepare(given.signal);
      return reading(given.signal, () => history.listCommits(from, given));
    },
    async findFiles(commit, paths, given) {
      const wanted = [...paths];
      await prepare(given.signal);
      return reading(given.signal, () => history.findFiles(commit, wanted, given));
    },
    async findGoneFiles(commits, given) {
      await prepare(given.signal);
      return reading(given.signal, () => history.findGoneFiles(commits, given));
    },
    async push(commit, { signal }) {
      tip ??= await remote.refs.fetchTip({ signal });
      return pushCommit(remote, { commit, ref: tip.ref, signal });
    },
    ...createRemoteBranches(remote, prepare),
    async close() {
      clone.close();
      await transport.close();
    },
  };
}
