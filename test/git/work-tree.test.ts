import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { failureOf, makeWorkTree, open, status } from './local-scene.ts';
import { newCommit, signal, withFolder } from './workshop.ts';

describe('local work tree', () => {
  for (const version of ['2', '3', '4']) {
    it(`has its files and its index (version ${version}) changed with the branch`, () =>
      withFolder(async (folder) => {
        const work = makeWorkTree(folder);
        writeFileSync(join(work, 'untracked.txt'), 'mine');
        writeFileSync(join(work, 'apps.b'), 'my local change');
        if (version === '3') {
          writeFileSync(join(work, 'intended.txt'), 'x');
          runGit(work, ['add', '-N', 'intended.txt']);
        } else runGit(work, ['update-index', '--index-version', version]);
        const before = status(work);
        const repo = open(work);
        const base = await repo.fetch({ signal });
        const changes = {
          'apps/run.sh': 'echo 2\n',
          'apps/web.yaml': 'image: web:2\n',
          'mit Leerzeichen/größe.yaml': 'd',
        };
        assert.equal((await repo.push(newCommit(base, changes), { signal })).kind, 'pushed');
        assert.equal(status(work), before);
        for (const [path, text] of Object.entries(changes)) assert.equal(readFileSync(join(work, path), 'utf8'), text);
        assert.equal(lstatSync(join(work, 'apps/run.sh')).mode & 0o777, 0o755);
        runGit(work, ['fsck', '--strict']);
        runGit(work, ['commit', '-q', '-m', 'mine', '--', 'apps.b']);
        assert.equal(runGit(work, ['diff', '--name-only', 'HEAD~', 'HEAD']), 'apps.b');
        assert.equal(
          (await repo.push(newCommit(await repo.fetch({ signal }), { 'apps.b': 'x' }), { signal })).kind,
          'pushed',
        );
        assert.deepEqual(
          readdirSync(join(work, '.git')).filter((name) => /tallyman|lock/.test(name)),
          [],
        );
        await repo.close();
      }));
  }

  it('is clean and whole after a commit by git behind it', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      await repo.push(newCommit(await repo.fetch({ signal }), { 'apps/web.yaml': 'image: web:2\n' }), { signal });
      writeFileSync(join(work, 'apps.b'), 'x');
      runGit(work, ['commit', '-q', '-a', '-m', 'mine']);
      assert.equal(runGit(work, ['show', 'HEAD:apps/web.yaml']), 'image: web:2');
      assert.equal(status(work), '');
      await repo.close();
    }));

  const dirt: Record<string, (work: string) => void> = {
    'a change': (work) => appendFileSync(join(work, 'apps/web.yaml'), '# mine\n'),
    'a staged change': (work) => {
      appendFileSync(join(work, 'apps/web.yaml'), '# mine\n');
      runGit(work, ['add', '.']);
    },
    'a staged change undone in the file': (work) => {
      appendFileSync(join(work, 'apps/web.yaml'), '# mine\n');
      runGit(work, ['add', '.']);
      writeFileSync(join(work, 'apps/web.yaml'), 'image: web:1\n');
    },
    'a deletion': (work) => rmSync(join(work, 'apps/web.yaml')),
    'a symbolic link in its place': (work) => {
      renameSync(join(work, 'apps/web.yaml'), join(work, '../elsewhere'));
      symlinkSync('../../elsewhere', join(work, 'apps/web.yaml'));
    },
    'a folder that is a symbolic link': (work) => {
      renameSync(join(work, 'apps'), join(work, '../elsewhere'));
      symlinkSync('../elsewhere', join(work, 'apps'));
    },
    'other line ends': (work) => {
      writeFileSync(join(work, '.gitattributes'), '* text eol=crlf\n');
      rmSync(join(work, 'apps/web.yaml'));
      runGit(work, ['checkout', '--', 'apps/web.yaml']);
      assert.equal(readFileSync(join(work, 'apps/web.yaml'), 'utf8'), 'image: web:1\r\n');
    },
  };
  for (const [name, make] of Object.entries(dirt)) {
    it(`is left alone with ${name}`, () =>
      withFolder(async (folder) => {
        const work = makeWorkTree(folder);
        make(work);
        const before = status(work);
        const content = existsSync(join(work, 'apps/web.yaml')) && readFileSync(join(work, 'apps/web.yaml'), 'utf8');
        const repo = open(work);
        const base = await repo.fetch({ signal });
        const changes = { 'apps.b': 'new', 'apps/web.yaml': 'image: web:2\n' };
        const failure = await failureOf(repo.push(newCommit(base, changes), { signal }));
        assert.equal(failure.code, 'WorkTreeDirty');
        assert.match(failure.message, /"apps\/web.yaml"/);
        assert.ok(!failure.message.includes('apps.b'));
        assert.equal(status(work), before);
        assert.equal(
          existsSync(join(work, 'apps/web.yaml')) && readFileSync(join(work, 'apps/web.yaml'), 'utf8'),
          content,
        );
        assert.equal(runGit(work, ['rev-parse', 'main']), base.commit);
        assert.equal(existsSync(join(work, '.git/index.lock')), false);
        await repo.close();
      }));
  }

  it('takes a file that already holds the new content', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      writeFileSync(join(work, 'apps/web.yaml'), 'image: web:2\n');
      runGit(work, ['add', '.']);
      const repo = open(work);
      assert.equal(
        (await repo.push(newCommit(await repo.fetch({ signal }), { 'apps/web.yaml': 'image: web:2\n' }), { signal }))
          .kind,
        'pushed',
      );
      assert.equal(status(work), '');
      await repo.close();
    }));

  it('keeps its files when another branch is checked out', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      runGit(work, ['checkout', '-q', '-b', 'feature']);
      const repo = open(work, 'main');
      assert.equal(
        (await repo.push(newCommit(await repo.fetch({ signal }), { 'apps.b': 'new' }), { signal })).kind,
        'pushed',
      );
      assert.deepEqual([status(work), readFileSync(join(work, 'apps.b'), 'utf8')], ['', 'a']);
      assert.equal(runGit(work, ['show', 'main:apps.b']), 'new');
      await repo.close();
    }));

  it('may be a linked one, whichever is named', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      runGit(work, ['worktree', 'add', '-q', '-b', 'prod', '../linked']);
      const linked = join(folder, 'linked');
      for (const [path, branch, text] of [
        [linked, undefined, '1'],
        [work, 'prod', '2'],
      ] as const) {
        const repo = open(path, branch);
        assert.equal(
          (await repo.push(newCommit(await repo.fetch({ signal }), { 'apps.b': text }), { signal })).kind,
          'pushed',
        );
        assert.equal(readFileSync(join(linked, 'apps.b'), 'utf8'), text);
        assert.deepEqual([status(linked), status(work)], ['', '']);
        await repo.close();
      }
    }));

  it('leaves out what a sparse checkout leaves out', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      runGit(work, ['sparse-checkout', 'set', '--no-cone', '/apps.b']);
      assert.equal(existsSync(join(work, 'apps')), false);
      const repo = open(work);
      assert.equal(
        (await repo.push(newCommit(await repo.fetch({ signal }), { 'apps/web.yaml': 'x', 'apps.b': 'y' }), { signal }))
          .kind,
        'pushed',
      );
      assert.deepEqual(
        [existsSync(join(work, 'apps')), readFileSync(join(work, 'apps.b'), 'utf8'), status(work)],
        [false, 'y', ''],
      );
      await repo.close();
    }));

  it('is put back when the branch cannot be moved', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      rmSync(join(work, '.git/logs/HEAD'));
      mkdirSync(join(work, '.git/logs/HEAD'));
      const failure = await failureOf(repo.push(newCommit(base, { 'apps/web.yaml': 'image: web:2\n' }), { signal }));
      assert.equal(failure.code, 'RepoUnavailable');
      assert.equal(runGit(work, ['rev-parse', 'main']), base.commit);
      assert.deepEqual([readFileSync(join(work, 'apps/web.yaml'), 'utf8'), status(work)], ['image: web:1\n', '']);
      assert.deepEqual(
        readdirSync(join(work, '.git')).filter((name) => /tallyman|lock/.test(name)),
        [],
      );
      await repo.close();
    }));
});
