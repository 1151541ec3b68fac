import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { manyFiles, runGit } from '../services/git-server.ts';
import { failureOf, fsck, withScene } from './remote-scene.ts';
import { newCommit, oidOf, signal } from './workshop.ts';

describe('remote repository, its kept clone', () => {
  const damage: Record<string, (clone: string) => void> = {
    'a pack cut off': (clone) => {
      const pack = join(
        clone,
        'objects/pack',
        readdirSync(join(clone, 'objects/pack')).find((name) => name.endsWith('.pack')) ?? '',
      );
      renameSync(pack, `${pack}.x`);
      writeFileSync(pack, readFileSync(`${pack}.x`).subarray(0, 300));
    },
    'an index cut off': (clone) => {
      const index = join(
        clone,
        'objects/pack',
        readdirSync(join(clone, 'objects/pack')).find((name) => name.endsWith('.idx')) ?? '',
      );
      chmodSync(index, 0o644);
      truncateSync(index, 1100);
    },
    'no objects': (clone) => rmSync(join(clone, 'objects'), { recursive: true }),
    'nothing in it': (clone) => {
      for (const name of readdirSync(clone)) rmSync(join(clone, name), { recursive: true });
    },
  };
  for (const [name, harm] of Object.entries(damage)) {
    it(`is made again with ${name}`, () =>
      withScene(async (scene) => {
        const first = await scene.open().fetch({ signal });
        const [clone = ''] = readdirSync(scene.state);
        harm(join(scene.state, clone));
        const logged: string[] = [];
        const repo = scene.open({ log: (message) => void logged.push(message) });
        const snapshot = await repo.fetch({ signal });
        assert.deepEqual(snapshot, first);
        const oid = oidOf(snapshot, 'apps/web.yaml');
        assert.equal((await repo.readBlobs([oid], { signal })).size, 1);
        fsck(scene);
      }));
  }

  it('leaves nothing behind when a clone fails half-way, and succeeds the next time', () =>
    withScene(async (scene) => {
      scene.server.intercept = (request, response) => {
        delete request.headers['git-protocol'];
        if (request.method !== 'POST') return false;
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
        response.write('0008NAK\n0050\u0001PACK', () => response.destroy());
        return true;
      };
      const repo = scene.open();
      assert.equal((await failureOf(repo.fetch({ signal }))).code, 'RepoUnavailable');
      assert.deepEqual(readdirSync(scene.state), []);
      scene.server.intercept = undefined;
      assert.equal((await repo.fetch({ signal })).files.length, 7);
    }));

  it('lists 5,000 files as git does, and only reads what changed', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      const snapshot = await repo.fetch({ signal });
      const list = (): string[] =>
        runGit(scene.bare, ['ls-tree', '-r', '--format=%(objectname) %(path)', 'main']).split('\n');
      assert.deepEqual(
        snapshot.files.map((file) => `${file.oid} ${file.path}`),
        list(),
      );
      assert.equal(
        (
          await repo.readBlobs(
            snapshot.files.map((file) => file.oid),
            { signal },
          )
        ).size,
        5000,
      );
      assert.equal(
        (await repo.push(newCommit(snapshot, { 'apps/0042/file-07.yaml': 'x' }), { signal })).kind,
        'pushed',
      );
      const next = await repo.fetch({ signal });
      assert.deepEqual(
        next.files.map((file) => `${file.oid} ${file.path}`),
        list(),
      );
      const kept = snapshot.files.find((file) => file.path.startsWith('apps/0041/'));
      assert.ok(kept && next.files.includes(kept), 'an unchanged folder is not listed anew');
      fsck(scene);
    }, manyFiles(5000)));
});
