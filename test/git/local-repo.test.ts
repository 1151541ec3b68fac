import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeBareRepo, manyFiles, runGit, runGitAsync } from '../services/git-server.ts';
import { failureOf, files, makeWorkTree, open, status } from './local-scene.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

describe('local bare repository', () => {
  const kinds: Record<string, (repo: string) => void> = {
    'loose refs and a new pack': () => undefined,
    'packed refs and deltas': (repo) => runGit(repo, ['gc', '-q', '--aggressive']),
    'loose objects': (repo) => {
      const packs = readdirSync(join(repo, 'objects/pack')).filter((name) => name.endsWith('.pack'));
      for (const name of packs) {
        renameSync(join(repo, 'objects/pack', name), join(repo, name));
        rmSync(join(repo, 'objects/pack', name.replace('.pack', '.idx')));
        runGit(repo, ['unpack-objects', '-q'], readFileSync(join(repo, name)));
      }
    },
  };
  for (const [name, prepare] of Object.entries(kinds)) {
    it(`is read and written with ${name}`, () =>
      withFolder(async (folder) => {
        const bare = makeBareRepo(join(folder, 'site.git'), files);
        runGit(bare, ['config', 'core.logAllRefUpdates', 'true']);
        prepare(bare);
        const repo = open(bare);
        const base = await repo.fetch({ signal });
        const format = '--format=%(objectmode) %(objectname) %(path)';
        const listed = runGit(bare, ['-c', 'core.quotePath=off', 'ls-tree', '-r', format, 'main']).split('\n');
        assert.deepEqual(
          base.files.map((file) => `${file.mode} ${file.oid} ${file.path}`),
          listed,
        );
        assert.equal(await repo.fetch({ signal }), base);
        const outcome = await repo.push(newCommit(base, { 'apps/run.sh': 'echo 2\n', 'apps.b': 'b' }), { signal });
        const tip = runGit(bare, ['rev-parse', 'main']);
        assert.deepEqual(outcome, { kind: 'pushed', commit: tip });
        assert.equal(runGit(bare, ['ls-tree', '--format=%(objectmode)', 'main', 'apps/run.sh']), '100755');
        runGit(bare, ['fsck', '--strict']);
        const next = await repo.fetch({ signal });
        const oid = oidOf(next, 'apps/run.sh');
        assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'echo 2\n');
        assert.deepEqual(await repo.push(newCommit(base, { 'apps.b': 'z' }), { signal }), { kind: 'moved' });
        await repo.close();
      }));
  }

  it('writes the log of the ref where there is one', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      await repo.push(newCommit(base, { 'apps.b': 'b' }, 'Update 1 image\n\nbody'), { signal });
      for (const ref of ['main', 'HEAD'])
        assert.match(runGit(work, ['reflog', '-1', '--format=%gs|%gn', ref]), /^commit: Update 1 image\|Tallyman$/);
      runGit(work, ['fsck', '--strict']);
      await repo.close();
    }));

  it('is written whole in a race with git', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), files);
      const repo = open(bare);
      const counts = { ours: 0, theirs: 0, lost: 0 };
      let racing = true;
      const people = (async () => {
        for (let attempt = 0; racing && attempt < 200; attempt++) {
          const old = await runGitAsync(bare, ['rev-parse', 'main']);
          const made = await runGitAsync(bare, ['commit-tree', `${old}^{tree}`, '-p', old, '-m', `their ${attempt}`]);
          await runGitAsync(bare, ['update-ref', 'refs/heads/main', made, old]).then(
            () => counts.theirs++,
            () => counts.lost++,
          );
        }
      })();
      for (let attempt = 0; attempt < 200 && Math.min(counts.ours, counts.theirs, counts.lost) < 4; attempt++) {
        const base = await repo.fetch({ signal });
        // A moment for the other side, as planning takes one.
        await new Promise((resolve) => setTimeout(resolve, 50 * (attempt % 5)));
        const outcome = await repo.push(newCommit(base, { 'apps.b': `ours ${attempt}` }), { signal });
        if (outcome.kind === 'pushed') counts.ours++;
        else counts.lost++;
      }
      racing = false;
      await people;
      const subjects = runGit(bare, ['log', '--format=%s', 'main']).split('\n');
      assert.ok(counts.ours > 0 && counts.theirs > 0 && counts.lost > 0, JSON.stringify(counts));
      assert.equal(subjects.filter((subject) => subject === 'Update images').length, counts.ours);
      assert.equal(subjects.filter((subject) => subject.startsWith('their')).length, counts.theirs);
      runGit(bare, ['fsck', '--strict']);
      assert.deepEqual(
        readdirSync(bare).filter((name) => name.startsWith('tallyman')),
        [],
      );
      await repo.close();
    }));

  it('waits for a lock, gives up on one that stays, and removes only its own stale one', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), files);
      const repo = open(bare);
      let base = await repo.fetch({ signal });
      const lock = join(bare, 'refs/heads/main.lock');
      writeFileSync(lock, '');
      const waiting = repo.push(newCommit(base, { 'apps.b': '1' }), { signal });
      setTimeout(() => rmSync(lock), 50);
      assert.equal((await waiting).kind, 'pushed');
      base = await repo.fetch({ signal });
      writeFileSync(lock, '');
      const failure = await failureOf(repo.push(newCommit(base, { 'apps.b': '2' }), { signal }));
      assert.deepEqual(
        [failure.code, failure.remedy.includes(lock), existsSync(lock)],
        ['RepoUnavailable', true, true],
      );
      rmSync(lock);
      const dead = spawnSync(process.execPath, ['-e', '']).pid;
      const note = join(bare, `tallyman-lock-${hostname().replace(/[^A-Za-z0-9.]/g, '_')}-${dead}-x`);
      writeFileSync(note, '');
      linkSync(note, lock);
      assert.equal((await repo.push(newCommit(base, { 'apps.b': '2' }), { signal })).kind, 'pushed');
      assert.deepEqual([existsSync(lock), existsSync(note)], [false, false]);
      await repo.close();
    }));

  it('looks at the branch again once it has the lock', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      for (const path of [join(folder, 'origin.git'), work]) {
        const gitDir = runGit(path, ['rev-parse', '--absolute-git-dir']);
        const repo = open(path);
        const base = await repo.fetch({ signal });
        const theirs = runGit(path, ['commit-tree', 'main^{tree}', '-p', 'main', '-m', 'theirs']);
        writeFileSync(join(gitDir, 'refs/heads/main.lock'), `${theirs}\n`);
        const pushing = repo.push(newCommit(base, { 'apps.b': 'ours' }), { signal });
        // As git does: the lock becomes the ref.
        setTimeout(() => renameSync(join(gitDir, 'refs/heads/main.lock'), join(gitDir, 'refs/heads/main')), 30);
        assert.deepEqual(await pushing, { kind: 'moved' });
        assert.equal(runGit(path, ['rev-parse', 'main']), theirs);
        await repo.close();
      }
      assert.equal(status(work), '');
    }));

  it('writes many files as one pack', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), manyFiles(300));
      const repo = open(bare);
      const base = await repo.fetch({ signal });
      const changes = Object.fromEntries(base.files.map((file) => [file.path, `new ${file.path}`]));
      assert.equal((await repo.push(newCommit(base, changes), { signal })).kind, 'pushed');
      assert.equal(runGit(bare, ['count-objects']).split(' ')[0], '0');
      assert.equal(runGit(bare, ['diff', '--name-only', 'main~', 'main']).split('\n').length, 300);
      runGit(bare, ['fsck', '--strict']);
      await repo.close();
    }));
});
