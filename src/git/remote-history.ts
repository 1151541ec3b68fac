/** The past of a remote's branch: what of it is here, and more of it when it is asked for. */
import type { CommitInfo, ListedCommits, RepoHistory } from '../pipeline/ports.ts';
import { readBody } from './commit.ts';
import { parseCommitInfo } from './commit-info.ts';
import { walkCommits } from './commit-walk.ts';
import { isDamage } from './errors.ts';
import { type FetchAbilities, type FetchRequest, fetchPack, findAbilities } from './fetch-pack.ts';
import { findFiles } from './find-files.ts';
import { findGoneFiles } from './find-gone-files.ts';
import { indexPack } from './index-pack.ts';
import type { Here, KeptClone } from './kept-clone.ts';
import type { NewObject } from './object.ts';
import type { RemoteRefs } from './remote-refs.ts';
import type { GitTransport } from './transport.ts';

interface Past {
  readonly transport: GitTransport;
  readonly refs: RemoteRefs;
  readonly clone: KeptClone;
}

export interface RemoteHistory extends RepoHistory {
  /** As the clone has them, after downloading those that a filter left out. */
  readBlobs(
    oids: readonly string[],
    options: { maxBytes: number; signal: AbortSignal },
  ): Promise<ReadonlyMap<string, Buffer>>;
}

/** Commits deep, one download after the other: most questions are answered by the first. */
const depths = [64, 512, 4096, 32_768];

/** Messages of more commits are not kept in memory: they are read again. */
const maxRemembered = 1024;

/** Reads a clone that is up to date; failures by damage are for the caller to mend. */
export function createRemoteHistory(past: Past): RemoteHistory {
  const { clone } = past;
  let last: { key: string; listed: ListedCommits } | undefined;
  const abilities = async (signal: AbortSignal): Promise<FetchAbilities> =>
    findAbilities(await past.refs.server({ signal }));
  const ensure = async (commit: string, signal: AbortSignal): Promise<void> => {
    if (clone.objects().has(commit)) return;
    const can = await abilities(signal);
    await clone.download((here) => (here.store.has(commit) ? undefined : formatDeepening(here, commit, 1, can)), {
      signal,
    });
  };
  return {
    async listCommits(from, { count, signal }) {
      const key = `${from} ${count}`;
      if (last?.key === key) return last.listed;
      await ensure(from, signal);
      const listed = await listDeepening(past, { from, count, can: await abilities(signal), signal });
      // Somebody may give a shallow repository the rest of its past.
      if (listed.cut === undefined && listed.commits.length <= maxRemembered) last = { key, listed };
      return listed;
    },
    async findFiles(commit, paths, { signal }) {
      await ensure(commit, signal);
      return findFiles(commit, paths, clone.objects().find);
    },
    async findGoneFiles(commits, { signal }) {
      await ensure(commits.from, signal);
      await ensure(commits.to, signal);
      return findGoneFiles(commits, clone.objects().find);
    },
    async readBlobs(oids, options) {
      try {
        return await clone.objects().readBlobs(oids, options);
      } catch (error) {
        options.signal.throwIfAborted();
        const missing = isDamage(error) && clone.isPartial() ? oids.filter((oid) => !clone.objects().has(oid)) : [];
        if (missing.length === 0) throw error;
        await fetchBlobs(past, missing, options.signal);
        return await clone.objects().readBlobs(oids, options);
      }
    },
  };
}

interface Listing {
  readonly from: string;
  readonly count: number;
  readonly can: FetchAbilities;
  readonly signal: AbortSignal;
}

/** Walks, and downloads more where the walk stops short. Where the remote has no more of it either, the list is not complete. */
async function listDeepening({ clone }: Past, { from, count, can, signal }: Listing): Promise<ListedCommits> {
  const read = (oid: string): CommitInfo => parseCommitInfo(oid, readBody(clone.objects().find, oid, 'commit'));
  for (let stuck: string | undefined; ; ) {
    const { commits, cut, ended } = await walkCommits({ from, count, read, shallow: clone.shallow(), signal });
    if (cut === undefined || cut.id === stuck) return { commits, complete: ended, cut: cut?.id };
    const depth = Math.min(count, depths.find((step) => step > cut.depth) ?? count);
    await clone.download((here) => (here.shallow.has(cut.id) ? formatDeepening(here, from, depth, can) : undefined), {
      signal,
    });
    stuck = cut.id;
  }
}

/** Blobs are left out only where they can be had later by their ids. */
function formatDeepening(here: Here, commit: string, depth: number, can: FetchAbilities): FetchRequest {
  const wanted = can.wantsAny || !here.store.has(commit) ? commit : here.tip;
  return {
    wants: [wanted],
    haves: [...new Set([here.tip, ...(here.store.has(commit) ? [commit] : [])])],
    shallow: [...here.shallow],
    depth,
    filter: can.filter && can.wantsAny ? 'blob:none' : undefined,
  };
}

/** Downloads the blobs alone; throws `RepoInvalid` where the server does not give them. */
async function fetchBlobs(
  { transport, refs, clone }: Past,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const server = await refs.server({ signal });
  const request: FetchRequest = { wants: [...new Set(oids)], haves: [], shallow: [] };
  const { pack } = await fetchPack({ transport, server }, request, { signal });
  const indexed = await indexPack(pack, { signal });
  const objects: NewObject[] = [];
  for (const oid of request.wants) {
    const object = await indexed.find(oid);
    if (object !== undefined) objects.push({ ...object, oid });
  }
  await clone.addObjects(objects, { signal });
}
