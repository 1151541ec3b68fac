/** The registry and the Git server in a process of their own, so that their work is not counted as the program's. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startGitServer } from '../services/git-server.ts';
import { startRegistryServer } from '../services/registry-server.ts';

export interface BenchServers {
  /** Of the registry, as images name it. */
  readonly host: string;
  /** Address of a repository under the root: `http://127.0.0.1:<port>/<repo>` */
  gitUrl(repo: string): string;
  /** Puts images under these names: `acme/web:1.4.2` */
  publish(images: readonly string[]): Promise<void>;
  /** How many requests the Git server had since it was asked last. */
  countGitRequests(): Promise<number>;
  close(): Promise<void>;
}

/** Images that are published, each answered with the Git server's requests since the last. */
type Order = readonly string[];

/** Starts both for the bare repositories under `root`. */
export async function startServers(root: string): Promise<BenchServers> {
  const child = fork(fileURLToPath(import.meta.url), [root], { execArgv: ['--import', 'tsx'] });
  const { host, gitRoot } = await ask<{ host: string; gitRoot: string }>(child);
  const order = async (images: Order): Promise<number> => {
    child.send(images);
    return await ask<number>(child);
  };
  return {
    host,
    gitUrl: (repo) => `${gitRoot}${repo}`,
    publish: async (images) => void (await order(images)),
    countGitRequests: () => order([]),
    async close() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/** The next message; fails where the process ends instead. */
function ask<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error('Cannot go on: the process with the servers ended'));
    child.once('exit', fail).once('message', (answer) => {
      child.off('exit', fail);
      resolve(answer as Answer);
    });
  });
}

async function serve(root: string): Promise<void> {
  const registry = await startRegistryServer();
  const git = await startGitServer({ root });
  process.on('message', (images: Order) => {
    for (const image of images) {
      const [repository = '', tag = ''] = image.split(':');
      registry.publish(repository, tag);
    }
    process.send?.(git.requests.splice(0).length);
  });
  process.once('disconnect', () => {
    void Promise.all([registry.close(), git.close()]);
  });
  process.send?.({ host: registry.host, gitRoot: git.url('') });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv[2] ?? '');
