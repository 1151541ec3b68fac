import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { startGitea } from '../services/gitea.ts';
import { makeSshKey } from '../services/ssh-server.ts';
import { failureOf } from './remote-scene.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

describe("Gitea's own SSH server", () => {
  it('is read and written with deploy keys, as far as each may', { timeout: 120_000 }, () =>
    withFolder(async (folder) => {
      const gitea = await startGitea({ ssh: true });
      const repos: { close(): Promise<void> }[] = [];
      try {
        const { port = 0, hostKey = '' } = gitea.ssh ?? {};
        const create = { name: 'site', auto_init: true, default_branch: 'main' };
        await gitea.api('/user/repos', { method: 'POST', body: create });
        const open = async (name: string, readOnly: boolean | undefined, repository = 'site') => {
          const key = makeSshKey(folder, name === 'writer' ? 'ecdsa' : 'ed25519', { name });
          const body = { title: name, key: key.publicKey, read_only: readOnly };
          const { username } = gitea.user;
          if (readOnly !== undefined) await gitea.api(`/repos/${username}/site/keys`, { method: 'POST', body });
          const url = `ssh://git@127.0.0.1:${port}/${username}/${repository}.git`;
          const knownHosts = `[127.0.0.1]:${port} ${hostKey}\n`;
          const privateKey = readFileSync(key.file, 'utf8');
          const ssh = () => ({ keyFile: key.file, knownHostsFile: 'known_hosts', privateKey, knownHosts });
          const pushOptions = name === 'writer' ? ['repo.private=true'] : [];
          const stateDir = `${folder}/state-${name}`;
          const repo = createYamlRepo({ location: { kind: 'remote', url }, stateDir, ssh, pushOptions });
          repos.push(repo);
          return repo;
        };
        const writer = await open('writer', false);
        const base = await writer.fetch({ signal });
        const oid = oidOf(base, 'README.md');
        assert.match(String((await writer.readBlobs([oid], { signal })).get(oid)), /site/);
        for (const text of ['one', 'two']) {
          const next = await writer.fetch({ signal });
          assert.equal((await writer.push(newCommit(next, { 'README.md': text }), { signal })).kind, 'pushed');
        }
        const site = await (await gitea.api(`/repos/${gitea.user.username}/site`)).text();
        assert.match(site, /"private":true/, 'by the push option');
        const reader = await open('reader', true);
        const tip = await reader.fetch({ signal });
        const refused = await failureOf(reader.push(newCommit(tip, { 'README.md': 'three' }), { signal }));
        assert.equal(refused.code, 'PushRejected', refused.message);
        assert.match(refused.remedy, /deploy key with write access/);
        const stranger = await failureOf((await open('stranger', undefined)).fetch({ signal }));
        assert.equal(stranger.code, 'RepoDenied', stranger.message);
        const lost = await failureOf((await open('lost', true, 'none')).fetch({ signal }));
        assert.equal(lost.code, 'RepoDenied', lost.message);
      } finally {
        for (const repo of repos) await repo.close();
        await gitea.close();
      }
    }),
  );
});
