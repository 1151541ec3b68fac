/** A repository behind a real sshd and clients of it, for the tests of Git over SSH. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SshAccess } from '../../src/git/ssh-login-key.ts';
import { type ClosableYamlRepo, createYamlRepo, type YamlRepoOptions } from '../../src/git/yaml-repo.ts';
import { makeBareRepo } from '../services/git-server.ts';
import { makeSshKey, type SshServer, type SshServerOptions, startSshServer } from '../services/ssh-server.ts';
import { withFolder } from './workshop.ts';

export interface SshScene {
  readonly folder: string;
  readonly bare: string;
  readonly server: SshServer;
  /** What the server lets in, and who it is. */
  readonly access: SshAccess;
  open(options?: Partial<YamlRepoOptions>): ClosableYamlRepo;
  /** As `open`, with another key, passphrase or known_hosts. */
  openAs(access: Partial<SshAccess>, options?: Partial<YamlRepoOptions>): ClosableYamlRepo;
}

export interface SshSceneOptions extends SshServerOptions {
  /** Folder of the repository; default `site.git`. */
  readonly name?: string;
}

const files = { 'apps/web.yaml': 'image: web:1\n', 'apps.yaml': 'a' };

export async function withSshScene(
  run: (scene: SshScene) => Promise<void>,
  { name = 'site.git', ...options }: SshSceneOptions = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const bare = makeBareRepo(join(folder, name), files);
    const server = await startSshServer(options);
    const key = makeSshKey(folder, 'ed25519');
    server.authorize(key.publicKey);
    const access: SshAccess = {
      keyFile: key.file,
      knownHostsFile: '/etc/tallyman/known_hosts',
      privateKey: readFileSync(key.file, 'utf8'),
      knownHosts: server.knownHosts,
    };
    const opened: ClosableYamlRepo[] = [];
    const openAs = (change: Partial<SshAccess>, given: Partial<YamlRepoOptions> = {}): ClosableYamlRepo => {
      const repo = createYamlRepo({
        location: { kind: 'remote', url: server.url(bare) },
        stateDir: join(folder, 'state'),
        ssh: () => ({ ...access, ...change }),
        timeoutMs: 20_000,
        ...given,
      });
      opened.push(repo);
      return repo;
    };
    try {
      await run({ folder, bare, server, access, openAs, open: (given) => openAs({}, given) });
    } finally {
      for (const repo of opened) await repo.close();
      await server.close();
    }
  });
}
