import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createSshTransport } from '../../src/git/ssh-transport.ts';
import { runGit } from '../services/git-server.ts';
import { failureOf } from './remote-scene.ts';
import { type SshScene, withSshScene } from './ssh-scene.ts';
import { newCommit, oidOf, signal } from './workshop.ts';

const tipOf = (bare: string): string => runGit(bare, ['rev-parse', 'main']);

/** A hook of the repository that tells that it runs, then waits to be told to go on. */
function addHook({ bare, folder }: SshScene, name: string): { runs(): Promise<void>; goOn(): void } {
  const [there, go] = [join(folder, `${name}-runs`), join(folder, `${name}-go`)];
  const hook = join(bare, 'hooks', name);
  writeFileSync(hook, `#!/bin/sh\ncat >/dev/null\ntouch '${there}'\nwhile [ ! -e '${go}' ]; do sleep 0.02; done\n`);
  chmodSync(hook, 0o755);
  return {
    async runs() {
      while (!existsSync(there)) await wait(5);
    },
    goOn: () => writeFileSync(go, ''),
  };
}

describe('Git over SSH', () => {
  it('reads and pushes, all over one connection', () =>
    withSshScene(async (scene) => {
      const { server, bare, open } = scene;
      const repo = open();
      const base = await repo.fetch({ signal });
      assert.equal(base.commit, tipOf(bare));
      const oid = oidOf(base, 'apps/web.yaml');
      assert.equal(String((await repo.readBlobs([oid], { signal })).get(oid)), 'image: web:1\n');
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      const next = await repo.fetch({ signal });
      assert.equal(next.commit, tipOf(bare));
      assert.equal((await repo.push(newCommit(next, { 'apps.yaml': 'y' }), { signal })).kind, 'pushed');
      assert.equal((await repo.push(newCommit(next, { 'apps.yaml': 'z' }), { signal })).kind, 'moved');
      assert.equal(server.connections, 1);
      runGit(bare, ['fsck', '--strict']);
    }));

  it('follows what others push', () =>
    withSshScene(async ({ bare, open }) => {
      const [one, other] = [open(), open({ stateDir: join(bare, '..', 'other') })];
      const base = await other.fetch({ signal });
      await one.fetch({ signal });
      await other.push(newCommit(base, { 'apps.yaml': 'x' }), { signal });
      assert.equal((await one.fetch({ signal })).commit, tipOf(bare));
    }));

  it('works where the server takes no GIT_PROTOCOL, which leaves version 0', () =>
    withSshScene(
      async ({ server, bare, access, open }) => {
        const limits = { timeoutMs: 20_000, maxExchangeMs: 20_000, maxAnswerBytes: 1e6 };
        const transport = createSshTransport({ url: server.url(bare), access: () => access, ...limits });
        const words = await transport.advertise('git-upload-pack', { signal, version2: true });
        await transport.close();
        assert.match(words.toString('latin1'), /^001e# service=git-upload-pack\n0000[0-9a-f]{44} HEAD\0/);
        const base = await open().fetch({ signal });
        assert.equal((await open().push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
        assert.equal((await open().fetch({ signal })).commit, tipOf(bare));
      },
      { takesVersion2: false },
    ));

  it('quotes whatever a path holds', () =>
    withSshScene(
      async ({ bare, open }) => {
        const base = await open().fetch({ signal });
        assert.equal((await open().push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
        assert.equal((await open().fetch({ signal })).commit, tipOf(bare));
      },
      { name: `it's "a" $(touch x) \`b\` !größe;&|\\.git` },
    ));

  it('makes a new connection where the kept one has ended', () =>
    withSshScene(async ({ server, bare, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      server.cut();
      await wait(20);
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      assert.equal(server.connections, 2);
      assert.equal((await repo.fetch({ signal })).commit, tipOf(bare));
    }));

  it('looks again where the answer to a push is lost: after it has happened', { timeout: 30_000 }, () =>
    withSshScene(async (scene) => {
      const { server, bare, open } = scene;
      const hook = addHook(scene, 'post-receive');
      const repo = open();
      const base = await repo.fetch({ signal });
      const pushing = repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal });
      await hook.runs();
      server.cut();
      const outcome = await pushing;
      hook.goOn();
      assert.deepEqual(outcome, { kind: 'pushed', commit: tipOf(bare) });
      assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '2');
    }),
  );

  it('looks again where the answer to a push is lost: before it has happened', { timeout: 30_000 }, () =>
    withSshScene(async (scene) => {
      const { server, bare, open } = scene;
      const hook = addHook(scene, 'pre-receive');
      const repo = open();
      const base = await repo.fetch({ signal });
      const pushing = repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal });
      await hook.runs();
      server.cut();
      hook.goOn();
      assert.deepEqual(await pushing, { kind: 'pushed', commit: tipOf(bare) });
      assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '2');
    }),
  );

  it('stops where the server is silent, drips or says too much', { timeout: 30_000 }, () =>
    withSshScene(async ({ server, folder, open }) => {
      const repo = open({ timeoutMs: 3000 });
      await repo.fetch({ signal });
      server.stalled = true;
      const silent = await failureOf(repo.fetch({ signal }));
      assert.deepEqual(
        [silent.code, /silent for 3000 ms/.test(silent.message)],
        ['RepoUnavailable', true],
        silent.message,
      );
      const unborn = await failureOf(open({ timeoutMs: 300 }).fetch({ signal }));
      assert.equal(unborn.code, 'RepoUnavailable', unborn.message);
      server.stalled = false;
      const huge = await failureOf(open({ maxAnswerBytes: 250, stateDir: join(folder, 'other') }).fetch({ signal }));
      assert.match(huge.message, /more than 250 bytes/);
      assert.equal(huge.code, 'RepoInvalid');
    }),
  );

  it('stops an exchange that takes too long', { timeout: 30_000 }, () =>
    withSshScene(async (scene) => {
      const hook = addHook(scene, 'pre-receive');
      const repo = scene.open({ maxExchangeMs: 4000 });
      const base = await repo.fetch({ signal });
      const failure = await failureOf(repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal }));
      hook.goOn();
      assert.match(failure.message, /took more than 4000 ms/);
    }),
  );

  it('ends at once with the reason of its signal, before and after it is connected', { timeout: 30_000 }, () =>
    withSshScene(async ({ server, open }) => {
      const repo = open();
      await repo.fetch({ signal });
      server.stalled = true;
      for (const client of [repo, open()]) {
        const controller = new AbortController();
        const fetching = client.fetch({ signal: controller.signal });
        setTimeout(() => controller.abort(new Error('shutting down')), 50);
        await assert.rejects(fetching, /shutting down/);
      }
      server.stalled = false;
      await repo.fetch({ signal });
    }),
  );
});
