import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commitFiles, runGit } from '../services/git-server.ts';
import { failureOf, type Scene, withScene } from './remote-scene.ts';
import { signal } from './workshop.ts';

/** Puts main on a commit of a tree with an entry `..`, as only a hostile tool writes. */
function commitHostileTree({ bare }: Scene): void {
  const blob = runGit(bare, ['rev-parse', 'main:apps.yaml']);
  const body = Buffer.concat([Buffer.from('100644 ..\0'), Buffer.from(blob, 'hex')]);
  const tree = runGit(bare, ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], body);
  runGit(bare, ['update-ref', 'refs/heads/main', runGit(bare, ['commit-tree', tree, '-p', 'main', '-m', 'x'])]);
}

describe('remote repository, commits that cannot be read', () => {
  const countDownloads = ({ server }: Scene): { count: number } => {
    const downloads = { count: 0 };
    server.intercept = (request) => {
      // Before version 2, nothing else is sent there.
      delete request.headers['git-protocol'];
      if (request.method === 'POST') downloads.count++;
      return false;
    };
    return downloads;
  };

  it('are downloaded once where they are refused', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      const downloads = countDownloads(scene);
      await repo.fetch({ signal });
      commitHostileTree(scene);
      for (let pass = 0; pass < 3; pass++) {
        const failure = await failureOf(repo.fetch({ signal }));
        assert.deepEqual([failure.code, /which git forbids/.test(failure.message)], ['RepoInvalid', true]);
      }
      assert.equal(downloads.count, 2);
      const tip = commitFiles(scene.bare, { 'only.yaml': 'x' }, { rewrite: true });
      assert.equal((await repo.fetch({ signal })).commit, tip);
    }));

  it('have one new clone made where it does not mend them', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      const downloads = countDownloads(scene);
      await repo.fetch({ signal });
      for (let pass = 0; pass < 3; pass++)
        assert.equal((await failureOf(repo.readBlobs(['1'.repeat(40)], { signal }))).code, 'RepoInvalid');
      assert.equal(downloads.count, 2);
      assert.equal((await repo.fetch({ signal })).files.length, 7);
      rmSync(join(scene.state), { recursive: true });
      const tip = commitFiles(scene.bare, { 'apps.yaml': 'x' });
      assert.equal((await repo.fetch({ signal })).commit, tip);
    }));
});
