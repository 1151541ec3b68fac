/** The files of the kept clone's git directory besides its objects. Sources: git's "gitrepository-layout", "git-config", "shallow" API. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { showBranch } from './branch.ts';
import { parseParents } from './commit.ts';
import { type FetchRequest, fetchPack } from './fetch-pack.ts';
import { readText } from './git-dir.ts';
import { indexPack } from './index-pack.ts';
import { maxMetadataBytes } from './object.ts';
import type { ObjectStore } from './object-store.ts';
import { storePack, writeWhole } from './object-write.ts';
import type { Advertisement } from './remote-refs.ts';
import type { GitTransport } from './transport.ts';

/** Makes an empty bare git directory whose HEAD names the branch. */
export async function initCloneDir(gitDir: string, { ref, url }: { ref: string; url: string }): Promise<void> {
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags'])
    await mkdir(join(gitDir, folder), { recursive: true, mode: 0o700 });
  writeWhole(join(gitDir, 'HEAD'), `ref: ${ref}\n`, { flush: true });
  writeWhole(join(gitDir, 'config'), formatConfig({ url, branch: showBranch(ref), partial: false }), { flush: true });
}

interface CloneConfig {
  readonly url: string;
  readonly branch: string;
  /** Whether objects are left out; git then knows that they are at the remote. Source: git's "partial-clone". */
  readonly partial: boolean;
}

function formatConfig({ url, branch, partial }: CloneConfig): string {
  const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
  const lines = [
    '[core]',
    `\trepositoryformatversion = ${partial ? 1 : 0}`,
    '\tfilemode = true',
    '\tbare = true',
    '[remote "origin"]',
    `\turl = ${quote(url)}`,
    `\tfetch = ${quote(`+refs/heads/${branch}:refs/heads/${branch}`)}`,
    ...(partial ? ['\tpromisor = true', '\tpartialclonefilter = blob:none'] : []),
    ...(partial ? ['[extensions]', '\tpartialClone = origin'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether a filter has left objects out of the clone. */
export function isPartial(gitDir: string): boolean {
  return /^\s*partialClone\b/im.test(readText(join(gitDir, 'config')) ?? '');
}

/** The commits whose parents are not there. */
export function readShallow(gitDir: string): Set<string> {
  const lines = (readText(join(gitDir, 'shallow')) ?? '').split('\n');
  return new Set(lines.filter((line) => /^[0-9a-f]{40}$/.test(line)));
}

async function writeShallow(gitDir: string, commits: ReadonlySet<string>): Promise<void> {
  const file = join(gitDir, 'shallow');
  if (commits.size > 0) writeWhole(file, `${[...commits].sort().join('\n')}\n`, { flush: true });
  else await rm(file, { force: true });
}

export interface Receiving {
  readonly gitDir: string;
  readonly store: ObjectStore;
  readonly transport: GitTransport;
  readonly server: Advertisement;
  readonly request: FetchRequest;
  /** The branch that is watched; named in the configuration. */
  readonly ref: string;
}

/**
 * Downloads into the git directory, which only one process at a time may do. A crash leaves files that the next call
 * clears away, and at most commits too many in `shallow`.
 */
export async function receive(receiving: Receiving, { signal }: { signal: AbortSignal }): Promise<void> {
  const { gitDir, store, transport, server, request, ref } = receiving;
  const answer = await fetchPack({ transport, server }, request, { signal });
  const indexed = await indexPack(answer.pack, { signal, findBase: store.findBase });
  const partial = answer.filtered;
  await removeTemporary(gitDir);
  if (partial && !isPartial(gitDir)) {
    const config = formatConfig({ url: transport.shownUrl, branch: showBranch(ref), partial });
    writeWhole(join(gitDir, 'config'), config, { flush: true });
  }
  const known = readShallow(gitDir);
  const candidates = new Set([...known, ...answer.shallow, ...request.wants]);
  // Before the pack: a commit without its parents is never there unannounced.
  if (answer.shallow.some((oid) => !known.has(oid))) await writeShallow(gitDir, new Set([...known, ...answer.shallow]));
  if (indexed.count > 0) await storePack(join(gitDir, 'objects'), indexed, { promisor: partial });
  await writeShallow(gitDir, findCut(candidates, store));
}

/** Those of the commits whose parents are not all there: what the server says of them is about its pack, not about all that is here. */
function findCut(candidates: Iterable<string>, store: ObjectStore): Set<string> {
  const isCut = (oid: string): boolean => {
    const found = store.find(oid, maxMetadataBytes);
    if (found?.type !== 'commit' || !('body' in found)) return false;
    return parseParents(found.body).some((parent) => !store.has(parent));
  };
  return new Set([...candidates].filter(isCut));
}

/** What a process that was killed has left half written. */
async function removeTemporary(gitDir: string): Promise<void> {
  for (const folder of ['objects/pack', '.', 'refs/heads'])
    for (const name of await readdir(join(gitDir, folder)))
      if (/^\.?tmp[-_]/.test(name)) await rm(join(gitDir, folder, name), { force: true });
}
