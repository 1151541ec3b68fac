/** The Yaml repo on a server. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TallymanError } from '../error/tallyman-error.ts';
import type { NewCommit, PushOutcome, Snapshot } from '../pipeline/ports.ts';
import { showBranch } from './branch.ts';
import { buildCommit } from './commit.ts';
import { isDamage, pushRejected } from './errors.ts';
import { type Accepted, createKeptClone, type KeptClone } from './kept-clone.ts';
import { formatPack } from './pack-write.ts';
import { createRemoteHistory } from './remote-history.ts';
import { createRemoteRefs, type RemoteRefs, type Tip } from './remote-refs.ts';
import { advertisePush, type PushAnswer, sendPack } from './send-pack.ts';
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
  readonly log: Log;
}

interface Remote {
  readonly transport: GitTransport;
  readonly refs: RemoteRefs;
  readonly clone: KeptClone;
  readonly sign: SignCommit | undefined;
  readonly log: Log;
}

/** One branch behind a transport, read through a kept clone. */
export function createRemoteRepo(options: RemoteRepoOptions): ClosableYamlRepo {
  const { transport, branch, log } = options;
  const key = createHash('sha256')
    .update(`${transport.shownUrl}\n${branch ?? ''}`)
    .digest('hex')
    .slice(0, 32);
  const refs = createRemoteRefs(transport, branch);
  const clone = createKeptClone(join(options.stateDir, key), { transport, server: refs.server });
  const remote: Remote = { transport, refs, clone, sign: options.sign, log };
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
  /** The past can be asked for before the first `fetch`. */
  const prepare = async (signal: AbortSignal): Promise<void> => {
    if (tip !== undefined) return;
    const found = await remote.refs.fetchTip({ signal });
    await clone.update(found, { signal });
    tip = found;
  };
  return {
    async fetch({ signal }) {
      tip = await remote.refs.fetchTip({ signal });
      const wanted = tip;
      if (current?.commit === wanted.commit) return current;
      current = await reading(signal, async () => {
        const commit = await clone.update(wanted, { signal });
        return snapshots.read(commit, clone.objects().find);
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
    async push(commit, { signal }) {
      tip ??= await remote.refs.fetchTip({ signal });
      return pushCommit(remote, { commit, ref: tip.ref, signal });
    },
    async close() {
      clone.close();
      await transport.close();
    },
  };
}

interface Pushing {
  readonly commit: NewCommit;
  readonly ref: string;
  readonly signal: AbortSignal;
}

async function pushCommit(remote: Remote, { commit, ref, signal }: Pushing): Promise<PushOutcome> {
  const { transport, clone } = remote;
  const { refs, capabilities } = await advertisePush(transport, { signal });
  if (refs.get(ref) !== commit.base.commit) return { kind: 'moved' };
  const built = await buildCommit(commit, clone.objects().find, remote.sign);
  const formatted = formatPack(built.objects);
  const request = { ref, from: built.base, to: built.oid, pack: formatted.pack, capabilities };
  // Twice: an answer that is lost on the way is no answer, and the commit has the same id both times.
  for (let last = false; ; last = true) {
    const answer = await sendOrLose(() => sendPack(transport, request, { signal }), signal);
    if (answer.kind === 'refused') throw pushRejected(showBranch(ref), `the server said "${answer.reason}"`);
    const found = answer.kind === 'accepted' ? built.oid : (await remote.refs.fetchTip({ signal })).commit;
    if (found === built.oid) {
      await keep(remote, { built, pack: formatted, ref }, signal);
      return { kind: 'pushed', commit: built.oid };
    }
    if (found !== built.base) return { kind: 'moved' };
    if (last && answer.kind === 'lost') throw answer.error;
    if (last && answer.kind === 'moved')
      throw pushRejected(showBranch(ref), `the branch did not move, the server said "${answer.reason}"`);
  }
}

type Answer = PushAnswer | { readonly kind: 'lost'; readonly error: TallymanError };

async function sendOrLose(send: () => Promise<PushAnswer>, signal: AbortSignal): Promise<Answer> {
  try {
    return await send();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TallymanError && error.code === 'RepoUnavailable') return { kind: 'lost', error };
    throw error;
  }
}

/** The push has happened: failing to keep a copy of it costs a download, nothing else. */
async function keep({ clone, log, transport }: Remote, accepted: Accepted, signal: AbortSignal): Promise<void> {
  try {
    await clone.add(accepted, { signal });
  } catch (error) {
    log('Cannot keep the pushed commit in the kept clone; it is fetched next time', {
      url: transport.shownUrl,
      found: String(error),
    });
  }
}
