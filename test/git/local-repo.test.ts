import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { formatChangedIndex, parseIndex } from '../../src/git/git-index.ts';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import type { YamlRepo } from '../../src/pipeline/ports.ts';
import { commitFiles, makeBareRepo, manyFiles, runGit, runGitAsync } from '../services/git-server.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

const files = {
  'apps/web.yaml': 'image: web:1\n',
  'apps/run.sh': { mode: '100755', text: 'echo 1\n' },
  'apps.b': 'a',
  'mit Leerzeichen/größe.yaml': 'c',
  link: { mode: '120000', text: 'apps/web.yaml' },
};

function open(path: string, branch?: string): YamlRepo & { close(): Promise<void> } {
  return createYamlRepo({ location: { kind: 'local', path }, branch, stateDir: '/nonexistent' });
}

/** A work tree with `files` checked out on main. */
function makeWorkTree(folder: string, content: Parameters<typeof makeBareRepo>[1] = files): string {
  makeBareRepo(join(folder, 'origin.git'), content);
  runGit(folder, ['clone', '-q', 'origin.git', 'work']);
  return join(folder, 'work');
}

async function failureOf(promise: Promise<unknown>): Promise<TallymanError> {
  return promise.then(
    () => assert.fail('a failure was wanted'),
    (error: TallymanError) => error,
  );
}

const status = (work: string): string => runGit(work, ['status', '--porcelain']);

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

  it('is put back after a crash between its files and the branch', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      const to = runGit(work, ['hash-object', '-w', '--stdin'], 'image: web:2\n');
      const from = oidOf(base, 'apps/web.yaml');
      // What a push has done when it dies just before the ref moves: journal, files, index.
      writeFileSync(join(work, '.git/tallyman-push'), JSON.stringify([{ path: 'apps/web.yaml', from, to }]));
      writeFileSync(join(work, 'apps/web.yaml'), 'image: web:2\n');
      runGit(work, ['add', '.']);
      assert.equal((await repo.push(newCommit(base, { 'apps/run.sh': 'echo 2\n' }), { signal })).kind, 'pushed');
      assert.deepEqual([readFileSync(join(work, 'apps/web.yaml'), 'utf8'), status(work)], ['image: web:1\n', '']);
      assert.equal(existsSync(join(work, '.git/tallyman-push')), false);
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

describe('local repository, refusals', () => {
  const cases: Record<string, [(folder: string) => string, RegExp]> = {
    'no repository': [(folder) => folder, /no Git repository/],
    'no folder': [(folder) => join(folder, 'nope'), /no Git repository/],
    'an empty repository': [(folder) => makeBareRepo(join(folder, 'empty.git'), {}), /no branch "main"/],
    'a detached HEAD': [
      (folder) => {
        const work = makeWorkTree(folder);
        runGit(work, ['checkout', '-q', '--detach']);
        return work;
      },
      /HEAD is detached/,
    ],
    sha256: [
      (folder) => {
        runGit(folder, ['init', '-q', '--bare', '--object-format=sha256', 'x.git']);
        return join(folder, 'x.git');
      },
      /sha256/,
    ],
    reftable: [
      (folder) => {
        const bare = makeBareRepo(join(folder, 'x.git'), files);
        appendFileSync(join(bare, 'config'), '[extensions]\n\trefStorage = reftable\n');
        return bare;
      },
      /reftable/,
    ],
    'a partial clone': [
      (folder) => {
        const bare = makeBareRepo(join(folder, 'x.git'), files);
        runGit(bare, ['config', 'uploadpack.allowFilter', 'true']);
        runGit(folder, ['clone', '-q', '--bare', '--filter=tree:0', `file://${bare}`, 'partial.git']);
        return join(folder, 'partial.git');
      },
      /complete clone/,
    ],
  };
  for (const [name, [make, words]] of Object.entries(cases)) {
    it(`says what is wrong with ${name}`, () =>
      withFolder(async (folder) => {
        const repo = open(make(folder));
        const failure = await failureOf(repo.fetch({ signal }));
        assert.deepEqual([failure.name, failure.code], ['TallymanError', 'RepoInvalid']);
        assert.match(failure.message, words);
        await repo.close();
      }));
  }

  it('says that a branch is missing, and follows one that appears', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'x.git'), files);
      const repo = open(bare, 'prod');
      assert.match((await failureOf(repo.fetch({ signal }))).message, /no branch "prod"/);
      const tip = commitFiles(bare, { 'a.yaml': 'x' }, { branch: 'prod' });
      assert.equal((await repo.fetch({ signal })).commit, tip);
      await repo.close();
    }));
});

describe('index', () => {
  it('refuses what it does not know', () =>
    withFolder((folder) => {
      const work = makeWorkTree(folder);
      const bytes = readFileSync(join(work, '.git/index'));
      assert.throws(() => parseIndex(bytes.subarray(0, 100)), { code: 'RepoInvalid' });
      assert.throws(() => parseIndex(Buffer.from('no index at all, but long enough')), { code: 'RepoInvalid' });
      runGit(work, ['update-index', '--split-index']);
      const split = parseIndex(readFileSync(join(work, '.git/index')));
      assert.throws(() => formatChangedIndex(split, []), { code: 'RepoInvalid' });
    }));
});
