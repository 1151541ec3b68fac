import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withCloneLock } from '../../src/git/clone-lock.ts';
import { commitFiles } from '../services/git-server.ts';
import { fsck, withScene } from './remote-scene.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

/** The commit that a process of its own finds, as `tallyman plan` would. */
function fetchElsewhere(url: string, stateDir: string): Promise<string> {
  const program = `import { createYamlRepo } from './src/git/yaml-repo.ts';
    const [url, stateDir] = process.argv.slice(1);
    const credential = async () => ({ username: 'bot', password: 's3cret:with:colons' });
    const repo = createYamlRepo({ location: { kind: 'remote', url }, stateDir, credential });
    const signal = new AbortController().signal;
    const { commit, files } = await repo.fetch({ signal });
    const oids = files.filter((file) => file.mode === '100644').map((file) => file.oid);
    console.log(commit, (await repo.readBlobs(oids, { signal })).size === new Set(oids).size);
    await repo.close();`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', program, url, stateDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', () => resolve(output.trim()));
  });
}

describe('a kept clone that several share', () => {
  it('is made by all at once, and used by all', () =>
    withScene(async (scene) => {
      const repos = Array.from({ length: 5 }, () => scene.open());
      const snapshots = await Promise.all(repos.map((repo) => repo.fetch({ signal })));
      for (const snapshot of snapshots) assert.deepEqual(snapshot, snapshots[0]);
      assert.equal(readdirSync(scene.state).length, 1);
      for (const text of ['1', '2', '3']) {
        const tip = commitFiles(scene.bare, { 'apps/web.yaml': text });
        const next = await Promise.all(
          repos.map(async (repo) => {
            const snapshot = await repo.fetch({ signal });
            const oid = oidOf(snapshot, 'apps/web.yaml');
            return [snapshot.commit, (await repo.readBlobs([oid], { signal })).get(oid)?.toString()];
          }),
        );
        for (const found of next) assert.deepEqual(found, [tip, text]);
      }
      assert.equal(readdirSync(scene.state).length, 1);
      fsck(scene);
    }));

  it('is shared by processes', () =>
    withScene(async ({ bare, server, state }) => {
      const url = server.url('site.git');
      for (const text of ['1', '2']) {
        const tip = commitFiles(bare, { 'apps/web.yaml': text });
        const found = await Promise.all(Array.from({ length: 3 }, () => fetchElsewhere(url, state)));
        assert.deepEqual(found, Array(3).fill(`${tip} true`));
      }
      assert.equal(readdirSync(state).length, 1);
    }));

  it('may be removed or made again under the others', () =>
    withScene(async (scene) => {
      const [one, other] = [scene.open(), scene.open()];
      const base = await one.fetch({ signal });
      await other.fetch({ signal });
      const [clone = ''] = readdirSync(scene.state);
      rmSync(join(scene.state, clone), { recursive: true });
      assert.equal((await one.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      assert.deepEqual(readdirSync(scene.state), [], 'no part of a clone');
      const [first, second] = await Promise.all([one.fetch({ signal }), other.fetch({ signal })]);
      assert.deepEqual(first, second);
      fsck(scene);
    }));
});

describe('lock of a kept clone', () => {
  const times = { beatMs: 10, staleMs: 300, waitMs: 1000 };
  const note = (pid: number, host = hostname()): string => JSON.stringify({ pid, host, id: 'ab-cd' });

  it('is held by one at a time', () =>
    withFolder(async (folder) => {
      const dir = join(folder, 'clone');
      let inside = 0;
      await Promise.all(
        Array.from({ length: 8 }, () =>
          withCloneLock({ dir, signal }, async () => {
            assert.equal(++inside, 1);
            await new Promise((resolve) => setTimeout(resolve, 5));
            inside--;
          }),
        ),
      );
      assert.deepEqual(readdirSync(folder), []);
    }));

  const dead: Record<string, (lock: string) => void> = {
    'a process that is gone': (lock) => writeFileSync(lock, note(2 ** 22 + 1)),
    'an earlier process with our number': (lock) => writeFileSync(lock, note(process.pid)),
    'a host that has fallen silent': (lock) => {
      writeFileSync(lock, note(1, 'elsewhere'));
      utimesSync(lock, new Date(), new Date(Date.now() - 1000));
    },
  };
  for (const [name, make] of Object.entries(dead)) {
    it(`is taken from ${name}`, () =>
      withFolder(async (folder) => {
        const dir = join(folder, 'clone');
        make(`${dir}.lock`);
        assert.equal(await withCloneLock({ dir, signal, times }, async () => existsSync(`${dir}.lock`)), true);
        assert.deepEqual(readdirSync(folder), []);
      }));
  }

  it('is waited for while its owner lives, and not for ever', () =>
    withFolder(async (folder) => {
      const dir = join(folder, 'clone');
      await withCloneLock({ dir, signal, times }, async () => {
        const waiting = withCloneLock({ dir, signal, times }, async () => undefined);
        await assert.rejects(waiting, { code: 'RepoUnavailable', message: /another process holds/ });
      });
      assert.deepEqual(readdirSync(folder), []);
    }));
});
