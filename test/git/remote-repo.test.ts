import assert from 'node:assert/strict';
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commitFiles, runGit } from '../services/git-server.ts';
import { failureOf, fsck, withScene } from './remote-scene.ts';
import { newCommit, oidOf, signal } from './workshop.ts';

describe('remote repository', () => {
  it('lists every entry with its mode, and reads blobs by id', () =>
    withScene(async ({ bare, open }) => {
      const repo = open();
      const snapshot = await repo.fetch({ signal });
      assert.equal(snapshot.commit, runGit(bare, ['rev-parse', 'main']));
      const listed = runGit(bare, [
        '-c',
        'core.quotePath=off',
        'ls-tree',
        '-r',
        '--format=%(objectmode) %(objectname) %(path)',
        'main',
      ]);
      assert.deepEqual(
        snapshot.files.map((file) => `${file.mode} ${file.oid} ${file.path}`),
        listed.split('\n'),
      );
      const oid = oidOf(snapshot, 'mit Leerzeichen/größe.yaml');
      assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'c');
    }));

  it('gives the same snapshot with one small request while nothing moves', () =>
    withScene(async ({ server, open }) => {
      const repo = open();
      const first = await repo.fetch({ signal });
      server.requests.length = 0;
      assert.equal(await repo.fetch({ signal }), first);
      assert.deepEqual(server.requests, ['POST /site.git/git-upload-pack']);
    }));

  it('pushes one commit with everything else as it was', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      let snapshot = await repo.fetch({ signal });
      const changes = {
        'apps/web.yaml': 'image: web:2\n',
        'apps/run.sh': 'echo 2\n',
        'mit Leerzeichen/größe.yaml': 'd',
      };
      const outcome = await repo.push(newCommit(snapshot, changes, 'Update 3 images\n\nTallyman-Plan: x'), { signal });
      const tip = runGit(scene.bare, ['rev-parse', 'main']);
      assert.deepEqual(outcome, { kind: 'pushed', commit: tip });
      const raw = runGit(scene.bare, ['-c', 'core.quotePath=off', 'diff', '--raw', '--abbrev=4', snapshot.commit, tip]);
      assert.deepEqual(
        raw.split('\n').map((line) => line.replace(/^:(\d+) (\d+) \S+ \S+ (.*)$/, '$1 $2 $3')),
        [
          '100755 100755 M\tapps/run.sh',
          '100644 100644 M\tapps/web.yaml',
          '100644 100644 M\tmit Leerzeichen/größe.yaml',
        ],
      );
      const format = '%an <%ae> %at %ai|%cn %ct|%P|%B';
      assert.equal(
        runGit(scene.bare, ['log', '-1', `--format=${format}`, 'main']).trim(),
        `Tallyman <tallyman@example.com> 1700000123 2023-11-14 22:15:23 +0000|Tallyman 1700000123|${snapshot.commit}|Update 3 images\n\nTallyman-Plan: x`,
      );
      fsck(scene);
      scene.server.requests.length = 0;
      snapshot = await repo.fetch({ signal });
      assert.equal(snapshot.commit, tip);
      assert.deepEqual(scene.server.requests, ['POST /site.git/git-upload-pack'], 'what was pushed is not downloaded');
      const oid = oidOf(snapshot, 'apps/web.yaml');
      assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'image: web:2\n');
    }));

  it('goes on after a restart with the clone it kept, and after a push by someone else', () =>
    withScene(async (scene) => {
      const first = await scene.open().fetch({ signal });
      scene.server.requests.length = 0;
      const restarted = scene.open();
      assert.deepEqual(await restarted.fetch({ signal }), first);
      assert.equal(scene.server.requests.length, 2, 'no download');
      for (const text of ['one', 'two']) {
        const tip = commitFiles(scene.bare, { 'apps/web.yaml': text, [`new/${text}.yaml`]: text });
        const snapshot = await restarted.fetch({ signal });
        assert.equal(snapshot.commit, tip);
        const [clone = ''] = readdirSync(scene.state);
        assert.equal(runGit(join(scene.state, clone), ['rev-parse', 'main']), tip, 'the next fetch starts there');
        const oid = oidOf(snapshot, `new/${text}.yaml`);
        assert.equal((await restarted.readBlobs([oid], { signal })).get(oid)?.toString(), text);
        assert.equal((await restarted.push(newCommit(snapshot, { 'apps.yaml': text }), { signal })).kind, 'pushed');
      }
      fsck(scene);
    }));

  it('writes nothing when someone else was first, before or during the push', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      const tip = commitFiles(bare, { 'apps.yaml': 'theirs' });
      assert.deepEqual(await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal }), { kind: 'moved' });
      const second = await repo.fetch({ signal });
      assert.equal(second.commit, tip);
      let during = '';
      server.intercept = (request) => {
        if (request.method === 'POST' && request.url?.endsWith('receive-pack') && during === '')
          during = commitFiles(bare, { 'apps.yaml': 'theirs again' });
        return false;
      };
      assert.deepEqual(await repo.push(newCommit(second, { 'apps.yaml': 'ours' }), { signal }), { kind: 'moved' });
      assert.equal(runGit(bare, ['rev-parse', 'main']), during);
      assert.equal((await repo.fetch({ signal })).commit, during);
    }));

  it('follows a branch that was rewritten', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      await repo.fetch({ signal });
      const tip = commitFiles(scene.bare, { 'only.yaml': 'x' }, { rewrite: true });
      const snapshot = await repo.fetch({ signal });
      assert.deepEqual([snapshot.commit, snapshot.files.map((file) => file.path)], [tip, ['only.yaml']]);
      assert.equal((await repo.push(newCommit(snapshot, { 'only.yaml': 'y' }), { signal })).kind, 'pushed');
      fsck(scene);
    }));

  it('uses the branch that it is given, and HEAD else', () =>
    withScene(async ({ bare, open }) => {
      const tip = commitFiles(bare, { 'a.yaml': '1' }, { branch: 'env/prod' });
      const repo = open({ branch: 'env/prod' });
      const base = await repo.fetch({ signal });
      assert.deepEqual([base.commit, base.branch], [tip, 'env/prod']);
      assert.equal((await repo.push(newCommit(base, { 'a.yaml': '2' }), { signal })).kind, 'pushed');
      assert.equal(runGit(bare, ['show', 'env/prod:a.yaml']), '2');
      runGit(bare, ['symbolic-ref', 'HEAD', 'refs/heads/env/prod']);
      const following = open();
      const { files, branch } = await following.fetch({ signal });
      assert.deepEqual([files.length, branch], [1, 'env/prod']);
      runGit(bare, ['branch', 'same', 'env/prod']);
      runGit(bare, ['symbolic-ref', 'HEAD', 'refs/heads/same']);
      assert.equal((await following.fetch({ signal })).branch, 'same');
    }));

  it('keeps up when the answer to an accepted push is lost', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      server.intercept = (request, response, serve) => {
        if (request.method !== 'POST' || !request.url?.endsWith('receive-pack')) return false;
        response.write = () => true;
        response.end = () => response.destroy();
        serve().catch(() => undefined);
        return true;
      };
      const outcome = await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal });
      assert.deepEqual(outcome, { kind: 'pushed', commit: runGit(bare, ['rev-parse', 'main']) });
      assert.notEqual(runGit(bare, ['rev-parse', 'main']), base.commit);
    }));

  it('sends again, once, when the connection broke before the server had the push', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      let broken = 0;
      let times = 1;
      server.intercept = (request, response) => {
        if (request.method !== 'POST' || !request.url?.endsWith('receive-pack') || broken === times) return false;
        broken++;
        response.destroy();
        return true;
      };
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal })).kind, 'pushed');
      const next = await repo.fetch({ signal });
      [broken, times] = [0, 2];
      const failure = await failureOf(repo.push(newCommit(next, { 'apps.yaml': 'more' }), { signal }));
      assert.equal(failure.code, 'RepoUnavailable');
      assert.equal(runGit(bare, ['rev-parse', 'main']), next.commit);
    }));

  it("quotes a hook's refusal, and keeps nothing of the refused commit", () =>
    withScene(async (scene) => {
      const hook = join(scene.bare, 'hooks/pre-receive');
      writeFileSync(
        hook,
        '#!/bin/sh\nprintf "\\033[31mNo deploys on Friday\\033[0m, see https://a:b@wiki/x\\n" >&2\nexit 1\n',
      );
      chmodSync(hook, 0o755);
      const repo = scene.open();
      const base = await repo.fetch({ signal });
      const failure = await failureOf(repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal }));
      assert.equal(failure.code, 'PushRejected');
      assert.equal(
        failure.message,
        'Cannot push to branch "main": the server said "pre-receive hook declined: No deploys on Friday, see https://wiki/x"',
      );
      assert.equal(await repo.fetch({ signal }), base);
      rmSync(hook);
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      fsck(scene);
    }));

  it('cannot change what is not there', () =>
    withScene(async ({ bare, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      for (const path of ['missing.yaml', 'apps', 'link', 'module']) {
        assert.equal((await failureOf(repo.push(newCommit(base, { [path]: 'x' }), { signal }))).code, 'Internal');
      }
      assert.equal(runGit(bare, ['rev-parse', 'main']), base.commit);
    }));

  it('leaves out blobs above the limit', () =>
    withScene(async ({ open }) => {
      const repo = open({ maxBlobBytes: 6 });
      const base = await repo.fetch({ signal });
      const blobs = await repo.readBlobs(
        base.files.filter((file) => file.mode !== '160000').map((file) => file.oid),
        { signal },
      );
      assert.deepEqual([...blobs.values()].map(String).sort(), ['a', 'b', 'c']);
    }));
});
