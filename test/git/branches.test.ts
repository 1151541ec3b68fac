import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ClosableYamlRepo } from '../../src/git/yaml-repo.ts';
import type { BranchPush } from '../../src/pipeline/ports.ts';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { open as openLocal } from './local-scene.ts';
import { failureOf, fsck, withScene } from './remote-scene.ts';
import { newCommit, signal, withFolder } from './workshop.ts';

interface Stage {
  readonly bare: string;
  open(): ClosableYamlRepo;
}

const content = { 'apps/web.yaml': 'image: web:1\n', 'apps.yaml': 'a' };
const none = '1'.repeat(40);

const stages: Record<string, (run: (stage: Stage) => Promise<void>) => Promise<void>> = {
  'a remote repository': (run) => withScene(run, content),
  'a remote repository before version 2': (run) =>
    withScene(async (scene) => {
      scene.server.intercept = (request) => {
        delete request.headers['git-protocol'];
        return false;
      };
      await run(scene);
    }, content),
  'a local repository': (run) =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), content);
      const opened: ClosableYamlRepo[] = [];
      const open = (): ClosableYamlRepo => {
        const repo = openLocal(bare);
        opened.push(repo);
        return repo;
      };
      await run({ bare, open });
      for (const repo of opened) await repo.close();
    }),
};

for (const [name, withStage] of Object.entries(stages)) {
  describe(`other branches of ${name}`, () => {
    const branch = 'tallyman/shop';

    it('are made, replaced, listed and deleted', () =>
      withStage(async ({ bare, open }) => {
        const repo = open();
        const base = await repo.fetch({ signal });
        const push = (text: string, expected: string | undefined, on = base): BranchPush => ({
          branch,
          expected,
          commit: newCommit(on, { 'apps/web.yaml': text }, `Say ${text}\n\nTallyman-Plan: x`),
        });
        const first = await repo.pushBranch(push('one', undefined), { signal });
        const at = runGit(bare, ['rev-parse', branch]);
        assert.deepEqual(first, { kind: 'pushed', commit: at });
        assert.equal(runGit(bare, ['rev-parse', `${branch}^`]), base.commit);
        commitFiles(bare, { 'apps.yaml': 'theirs' });
        const next = await repo.fetch({ signal });
        const second = await repo.pushBranch(push('two', at, next), { signal });
        const after = runGit(bare, ['rev-parse', branch]);
        assert.deepEqual(second, { kind: 'pushed', commit: after });
        assert.equal(runGit(bare, ['rev-parse', `${branch}^`]), next.commit, 'replaced, not added to');
        assert.equal(runGit(bare, ['show', `${branch}:apps/web.yaml`]), 'two');
        assert.deepEqual(await repo.pushBranch(push('two', at, next), { signal }), second, 'twice is once');
        runGit(bare, ['branch', 'other', base.commit]);
        runGit(bare, ['pack-refs', '--all']);
        assert.deepEqual(await repo.listBranches('tallyman/', { signal }), new Map([[branch, after]]));
        assert.equal((await repo.listBranches('', { signal })).size, 3);
        assert.equal(await repo.deleteBranch({ branch, expected: at }, { signal }), false);
        assert.equal(await repo.deleteBranch({ branch, expected: after }, { signal }), true);
        assert.equal(await repo.deleteBranch({ branch, expected: after }, { signal }), true);
        assert.deepEqual(await repo.listBranches('tallyman/', { signal }), new Map());
        assert.equal((await repo.fetch({ signal })).commit, next.commit);
        runGit(bare, ['fsck', '--strict']);
      }));

    it('are left alone where they are not as expected', () =>
      withStage(async ({ bare, open }) => {
        const repo = open();
        const base = await repo.fetch({ signal });
        const theirs = commitFiles(bare, { 'apps.yaml': 'theirs' }, { branch });
        const commit = newCommit(base, { 'apps/web.yaml': 'ours' });
        for (const expected of [undefined, base.commit])
          assert.deepEqual(await repo.pushBranch({ branch, expected, commit }, { signal }), { kind: 'moved' });
        assert.deepEqual(
          await repo.pushBranch({ branch: 'tallyman/none', expected: base.commit, commit }, { signal }),
          { kind: 'moved' },
        );
        assert.equal(runGit(bare, ['rev-parse', branch]), theirs);
        const below = await failureOf(
          repo.pushBranch({ branch: `${branch}/x`, expected: undefined, commit }, { signal }),
        );
        assert.equal(below.code, 'PushRejected');
      }));

    it('are never the watched one', () =>
      withStage(async ({ bare, open }) => {
        const repo = open();
        const base = await repo.fetch({ signal });
        const commit = newCommit(base, { 'apps.yaml': 'x' });
        const main = { branch: 'main', expected: base.commit };
        assert.equal((await failureOf(repo.pushBranch({ ...main, commit }, { signal }))).code, 'Internal');
        assert.equal((await failureOf(repo.deleteBranch(main, { signal }))).code, 'Internal');
        assert.equal(runGit(bare, ['rev-parse', 'main']), base.commit);
      }));

    it('have commits that can be read, and that become the watched branch’s with all their files', () =>
      withStage(async ({ bare, open }) => {
        const tip = commitFiles(
          bare,
          { 'apps/web.yaml': 'two', 'x/y.yaml': 'y' },
          { branch, rewrite: true, message: 'Theirs\n\nKey: value' },
        );
        const repo = open();
        const info = await repo.readCommit(tip, { signal });
        assert.deepEqual(info, {
          id: tip,
          parents: [],
          tree: runGit(bare, ['rev-parse', `${tip}^{tree}`]),
          message: 'Theirs\n\nKey: value',
          author: { name: 'Ada', email: 'ada@example.com' },
          whenMs: 1_700_000_000_000,
        });
        assert.equal((await failureOf(repo.readCommit(none, { signal }))).code, 'RepoInvalid');
        runGit(bare, ['update-ref', 'refs/heads/main', tip]);
        const snapshot = await repo.fetch({ signal });
        assert.equal(snapshot.commit, tip);
        assert.equal(
          (
            await repo.readBlobs(
              snapshot.files.map((file) => file.oid),
              { signal },
            )
          ).size,
          2,
        );
      }));

    it('and the watched one take a commit that only says something', () =>
      withStage(async ({ bare, open }) => {
        const repo = open();
        const base = await repo.fetch({ signal });
        const outcome = await repo.push(newCommit(base, {}, 'Hold\n\nTallyman-Hold: shop/web'), { signal });
        const tip = runGit(bare, ['rev-parse', 'main']);
        assert.deepEqual(outcome, { kind: 'pushed', commit: tip });
        assert.equal(runGit(bare, ['rev-parse', 'main^{tree}']), runGit(bare, ['rev-parse', `${base.commit}^{tree}`]));
        const next = await repo.fetch({ signal });
        assert.deepEqual(next.files, base.files);
        const { commits, complete } = await repo.listCommits(tip, { count: 9, signal });
        assert.deepEqual([commits.map(({ id }) => id), complete], [[tip, base.commit], true]);
        assert.match(commits[0]?.message ?? '', /Tallyman-Hold: shop\/web/);
      }));
  });
}

describe('other branches, of a server', () => {
  it('keep up when the answer to a push is lost', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      const base = await repo.fetch({ signal });
      scene.server.intercept = (request, response, serve) => {
        if (request.method !== 'POST' || !request.url?.endsWith('receive-pack')) return false;
        response.write = () => true;
        response.end = () => response.destroy();
        serve().catch(() => undefined);
        return true;
      };
      const push = { branch: 'tallyman/x', expected: undefined, commit: newCommit(base, { 'apps.yaml': 'x' }) };
      const outcome = await repo.pushBranch(push, { signal });
      const commit = runGit(scene.bare, ['rev-parse', 'tallyman/x']);
      assert.deepEqual(outcome, { kind: 'pushed', commit });
      assert.equal(await repo.deleteBranch({ branch: 'tallyman/x', expected: commit }, { signal }), true);
      fsck(scene);
    }));

  it('are rejected where a rule or a hook wants it so', () =>
    withScene(async ({ bare, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      const branch = 'tallyman/x';
      const commit = (text: string) => newCommit(base, { 'apps.yaml': text });
      const pushed = await repo.pushBranch({ branch, expected: undefined, commit: commit('x') }, { signal });
      assert.ok(pushed.kind === 'pushed');
      for (const key of ['receive.denyNonFastForwards', 'receive.denyDeletes']) runGit(bare, ['config', key, 'true']);
      const expected = pushed.commit;
      const replaced = await failureOf(repo.pushBranch({ branch, expected, commit: commit('y') }, { signal }));
      assert.equal(replaced.code, 'PushRejected', replaced.message);
      const deleted = await failureOf(repo.deleteBranch({ branch, expected }, { signal }));
      assert.equal(deleted.code, 'PushRejected', deleted.message);
      const hook = join(bare, 'hooks/pre-receive');
      writeFileSync(
        hook,
        '#!/bin/sh\necho "GitLab: You are not allowed to push code to protected branches." >&2\nexit 1\n',
      );
      chmodSync(hook, 0o755);
      const refused = await failureOf(repo.push(commit('z'), { signal }));
      assert.match(refused.remedy, /protected branch/);
      assert.equal(runGit(bare, ['rev-parse', branch]), expected);
    }));

  it('of a local work tree are left alone while they are checked out', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), content);
      runGit(folder, ['clone', '-q', bare, 'work']);
      const work = join(folder, 'work');
      runGit(work, ['worktree', 'add', '-q', '../second', '-b', 'tallyman/x']);
      const repo = openLocal(work);
      const base = await repo.fetch({ signal });
      const push = { branch: 'tallyman/x', expected: base.commit, commit: newCommit(base, { 'apps.yaml': 'x' }) };
      const failure = await failureOf(repo.pushBranch(push, { signal }));
      assert.deepEqual([failure.code, /checked out/.test(failure.message)], ['PushRejected', true]);
      await repo.close();
    }));
});
