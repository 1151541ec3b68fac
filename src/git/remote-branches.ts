/** The other branches of a remote. */
import type { CommitInfo, RepoBranches } from '../pipeline/ports.ts';
import { formatBranchRef, showBranch } from './branch.ts';
import { readBody } from './commit.ts';
import { parseCommitInfo } from './commit-info.ts';
import { internal, repoInvalid } from './errors.ts';
import { fetchPack } from './fetch-pack.ts';
import { indexPack } from './index-pack.ts';
import { deleteBranch, pushBranch, type Remote } from './remote-push.ts';
import type { Tip } from './remote-refs.ts';

/** Commits of other branches are few, and looked at in each pass. */
const maxRemembered = 256;

/** `watched` gives the tip of the watched branch, whose objects the clone has. */
export function createRemoteBranches(remote: Remote, watched: (signal: AbortSignal) => Promise<Tip>): RepoBranches {
  const remembered = new Map<string, CommitInfo>();
  const checkOther = async (branch: string, signal: AbortSignal): Promise<void> => {
    const { ref } = await watched(signal);
    if (ref === formatBranchRef(branch)) throw internal(`Cannot replace branch "${branch}": it is the watched one`);
  };
  return {
    async listBranches(prefix, { signal }) {
      const refs = await remote.refs.fetchRefs(`refs/heads/${prefix}`, { signal });
      return new Map([...refs].map(([ref, commit]) => [showBranch(ref), commit]));
    },
    async readCommit(id, { signal }) {
      const known = remembered.get(id);
      if (known !== undefined) return known;
      const info = parseCommitInfo(id, await fetchCommit(remote, { id, tip: await watched(signal), signal }));
      remembered.set(id, info);
      for (const oldest of remembered.keys()) if (remembered.size > maxRemembered) remembered.delete(oldest);
      return info;
    },
    async pushBranch(push, { signal }) {
      await checkOther(push.branch, signal);
      return pushBranch(remote, push, signal);
    },
    async deleteBranch(branch, { signal }) {
      await checkOther(branch.branch, signal);
      return deleteBranch(remote, branch, signal);
    },
  };
}

interface CommitFetching {
  readonly id: string;
  readonly tip: Tip;
  readonly signal: AbortSignal;
}

/**
 * The commit's body, from the clone or downloaded. It is not kept there: without its files it would pass for a whole one
 * when the watched branch reaches it.
 */
async function fetchCommit({ transport, refs, clone }: Remote, { id, tip, signal }: CommitFetching): Promise<Buffer> {
  const { has, find, findBase } = clone.objects();
  if (has(id)) return readBody(find, id, 'commit');
  const haves = has(tip.commit) ? [tip.commit] : [];
  const server = await refs.server({ signal });
  const request = { wants: [id], haves, shallow: haves, depth: 1, filter: 'tree:0' } as const;
  const { pack } = await fetchPack({ transport, server }, request, { signal });
  const indexed = await indexPack(pack, { signal, findBase });
  const found = await indexed.find(id);
  if (found?.type === 'commit') return found.body;
  throw repoInvalid(
    `Cannot read commit "${id}" of Yaml repo "${transport.shownUrl}": the server gave ${found ? `a ${found.type}` : 'something else'}`,
  );
}
