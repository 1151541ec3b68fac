import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commitFiles, runGit } from '../services/git-server.ts';
import { open as openLocal } from './local-scene.ts';
import { withScene } from './remote-scene.ts';
import { signal } from './workshop.ts';

describe('findGoneFiles', () => {
  it('tells the files that one commit has and another has not, here and from a server', () =>
    withScene(async ({ bare, server, open }) => {
      runGit(bare, ['config', 'uploadpack.allowFilter', 'true']);
      commitFiles(bare, {
        'old/a.yaml': 'a',
        'old/deep/b.yaml': 'b',
        'stays/c.yaml': 'c',
        turns: 'file',
        link: { mode: '120000', text: 'old' },
      });
      const from = runGit(bare, ['rev-parse', 'main']);
      runGit(bare, ['read-tree', 'main']);
      runGit(bare, ['rm', '-rq', '--cached', 'old', 'turns', 'link']);
      const tree = runGit(bare, ['write-tree']);
      runGit(bare, ['update-ref', 'refs/heads/main', runGit(bare, ['commit-tree', tree, '-p', 'main', '-m', 'x'])]);
      commitFiles(bare, { 'stays/c.yaml': 'changed', 'turns/into.yaml': 'folder', 'new/a.yaml': 'a' });
      const to = runGit(bare, ['rev-parse', 'main']);
      const idOf = (path: string) => runGit(bare, ['rev-parse', `${from}:${path}`]);
      const wanted = ['old/a.yaml', 'old/deep/b.yaml', 'turns'].map((path) => [path, idOf(path)]);
      for (const repo of [openLocal(bare), open()]) {
        await repo.fetch({ signal });
        const gone = await repo.findGoneFiles({ from, to }, { signal });
        assert.deepEqual([...gone].sort(), wanted);
        const changed = await repo.findGoneFiles({ from, to, orChanged: true }, { signal });
        assert.deepEqual([...changed].sort(), [...wanted, ['stays/c.yaml', idOf('stays/c.yaml')]].sort());
        assert.deepEqual([...(await repo.findGoneFiles({ from: to, to, orChanged: true }, { signal }))], []);
      }
      assert.ok(server.requests.length > 0);
    }));
});
