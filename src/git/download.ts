/** Downloads commits into a bare git directory, with isomorphic-git over our own transport. */
import { randomUUID } from 'node:crypto';
import { promises } from 'node:fs';
import { dirname, join } from 'node:path';
import git, { type HttpClient } from 'isomorphic-git';
import { showBranch } from './branch.ts';
import { damaged, fromLibrary } from './errors.ts';
import type { GitService, GitTransport } from './transport.ts';

interface Download {
  readonly gitDir: string;
  readonly transport: GitTransport;
  readonly ref: string;
  readonly signal: AbortSignal;
}

/** isomorphic-git's `fs` plugin: files appear whole, as other processes may be reading the clone. */
const fs = {
  promises: {
    ...promises,
    async writeFile(file: string, bytes: Uint8Array | string, options: { encoding?: BufferEncoding; mode?: number }) {
      const temporary = join(dirname(file), `tmp_obj_${randomUUID()}`);
      try {
        await promises.writeFile(temporary, bytes, options);
        await promises.rename(temporary, file);
      } catch (error) {
        await promises.rm(temporary, { force: true });
        throw error;
      }
    },
  },
};

/** Makes the bare git directory and downloads the branch's last commit into it; gives that commit's id. */
export async function cloneBranch(download: Download): Promise<string> {
  const { gitDir, transport, ref } = download;
  try {
    await git.init({ fs, gitdir: gitDir, bare: true, defaultBranch: showBranch(ref) });
    await git.addRemote({ fs, gitdir: gitDir, remote: 'origin', url: transport.shownUrl });
  } catch (error) {
    throw fromLibrary(error, transport.shownUrl);
  }
  return fetchBranch(download, 1);
}

/**
 * Downloads what is new on the branch since the local ref; gives the commit's id. `depth` only for a first download:
 * with it, isomorphic-git names none of the commits it has and gets the whole tree again.
 */
export async function fetchBranch({ gitDir, transport, ref, signal }: Download, depth?: number): Promise<string> {
  try {
    const { fetchHead } = await git.fetch({
      fs,
      http: createHttpClient(transport, signal),
      cache: {},
      gitdir: gitDir,
      url: transport.shownUrl,
      remote: 'origin',
      ref,
      remoteRef: ref,
      singleBranch: true,
      tags: false,
      ...(depth !== undefined && { depth }),
    });
    if (fetchHead === null) throw new Error('the remote has no refs');
    return fetchHead;
  } catch (error) {
    signal.throwIfAborted();
    const failure = fromLibrary(error, transport.shownUrl);
    // What the clone holds is part of the request: a library's failure with it may be the clone's, which is made again.
    if (failure === error || depth !== undefined) throw failure;
    throw damaged('the kept clone', 'fetching into it failed', failure);
  }
}

/** isomorphic-git's `http` plugin. It gets whole answers: a stream that breaks off inside it is an unhandled rejection. */
function createHttpClient(transport: GitTransport, signal: AbortSignal): HttpClient {
  return {
    async request({ url, method, body }) {
      const service: GitService = 'git-upload-pack';
      const posts = method === 'POST';
      const answer = posts
        ? await transport.exchange(service, await collect(body), { signal })
        : await transport.advertise(service, { signal });
      const headers = { 'content-type': `application/x-${service}-${posts ? 'result' : 'advertisement'}` };
      return { url, method: method ?? 'GET', headers, statusCode: 200, statusMessage: 'OK', body: chunk(answer) };
    },
  };
}

async function collect(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* chunk(bytes: Buffer): AsyncIterableIterator<Uint8Array> {
  yield bytes;
}
