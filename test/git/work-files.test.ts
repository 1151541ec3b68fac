import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createWorkFiles, hasWorkFiles } from '../../src/git/work-files.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';
import { makeWorkTree } from './local-scene.ts';
import { signal, withFolder } from './workshop.ts';

const write = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
};
/** Path to text, as `check` reads them. */
const readAll = async (folder: string): Promise<Record<string, string | undefined>> => {
  const repo = createWorkFiles(folder);
  const { files } = await repo.fetch({ signal });
  const blobs = await repo.readBlobs(
    files.map((file) => file.oid),
    { signal },
  );
  return Object.fromEntries(files.map(({ path, oid }) => [path, blobs.get(oid)?.toString()]));
};

describe('work files', () => {
  it('are what git lists, with the bytes on disk', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      write(work, {
        'apps/web.yaml': 'changed',
        'new/untracked.yml': 'new',
        'new/notes.txt': 'no YAML',
        'node_modules/copy/policy.yaml': 'ignored',
        'build/kept.yaml': 'tracked in an ignored folder',
        'build/out.yaml': 'ignored',
        '.gitignore': 'node_modules/\nbuild\n*.tmp.yaml\n',
        'new/x.tmp.yaml': 'ignored',
        'nested/.gitignore': '!*.tmp.yaml\n/only-here.yaml\n',
        'nested/x.tmp.yaml': 'taken back',
        'nested/only-here.yaml': 'ignored',
        'nested/deep/only-here.yaml': 'not ignored',
        'excluded.yaml': 'ignored',
      });
      appendFileSync(join(work, '.git/info/exclude'), '/excluded.yaml\n');
      runGit(work, ['add', '-f', 'build/kept.yaml']);
      write(work, { 'build/kept.yaml': 'changed after adding' });
      runGit(work, ['init', '-q', 'own']);
      write(work, { 'own/policy.yaml': 'of another repository' });
      rmSync(join(work, 'mit Leerzeichen'), { recursive: true });
      symlinkSync('apps', join(work, 'linked'));
      symlinkSync('apps/web.yaml', join(work, 'link.yaml'));
      assert.deepEqual(await readAll(work), {
        'apps/web.yaml': 'changed',
        'build/kept.yaml': 'changed after adding',
        'nested/deep/only-here.yaml': 'not ignored',
        'nested/x.tmp.yaml': 'taken back',
        'new/untracked.yml': 'new',
      });
    }));

  it('of a linked work tree are found by its own index', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      runGit(work, ['worktree', 'add', '-q', '-b', 'prod', '../linked']);
      const linked = join(folder, 'linked');
      write(linked, { '.gitignore': 'gen', 'gen/a.yaml': 'a', 'gen/b.yaml': 'b' });
      runGit(linked, ['add', '-f', 'gen/a.yaml']);
      assert.deepEqual(Object.keys(await readAll(linked)), [
        'apps/web.yaml',
        'gen/a.yaml',
        'mit Leerzeichen/größe.yaml',
      ]);
    }));

  it('leave out what cannot be read, and names that are not UTF-8', () =>
    withFolder(async (folder) => {
      write(folder, { 'a.yaml': 'a', 'large.yaml': 'x'.repeat(4 * 1024 * 1024 + 1), 'gone.yaml': 'x' });
      writeFileSync(
        Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xff, 0x2e]), Buffer.from('yaml')]),
        '',
      );
      spawnSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'pipe.yaml')]);
      const repo = createWorkFiles(folder);
      const { commit, files } = await repo.fetch({ signal });
      rmSync(join(folder, 'gone.yaml'));
      spawnSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'gone.yaml')]);
      const oids = files.map((file) => file.oid);
      const blobs = await repo.readBlobs([...oids, 'f'.repeat(40)], { signal });
      assert.deepEqual([commit, files.map((file) => file.path)], ['', ['a.yaml', 'gone.yaml', 'large.yaml']]);
      assert.deepEqual([...blobs.values()].map(String), ['a']);
    }));

  it('need few open files', () =>
    withFolder((folder) => {
      for (let index = 0; index < 3000; index++) write(folder, { [`f${index % 300}/${index}.yaml`]: 'x' });
      const program = `import { createWorkFiles } from './src/git/work-files.ts';
        const repo = createWorkFiles(${JSON.stringify(folder)});
        const signal = new AbortController().signal;
        const { files } = await repo.fetch({ signal });
        console.log((await repo.readBlobs(files.map((file) => file.oid), { signal })).size);`;
      const command = 'ulimit -n 128 && exec "$0" --import tsx --input-type=module -e "$1"';
      const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
      assert.equal(stdout, '3000\n', stderr);
    }));

  it('say that there is no such folder', () =>
    withFolder(async (folder) => {
      const fetching = createWorkFiles(join(folder, 'nope')).fetch({ signal });
      await assert.rejects(fetching, { code: 'RepoInvalid', message: /ENOENT/ });
    }));

  it('are had by a work tree and a plain folder, not by a bare repository', () =>
    withFolder((folder) => {
      const work = makeWorkTree(folder);
      const bare = makeBareRepo(join(folder, 'bare.git'), {});
      assert.deepEqual([work, folder, bare, join(work, '.git')].map(hasWorkFiles), [true, true, false, false]);
    }));

  it('are ignored as by git, whatever the patterns', () =>
    withFolder(async (folder) => {
      runGit(folder, ['init', '-q']);
      const names = [
        'a',
        'b.yaml',
        'ab.yaml',
        'a b.yaml',
        '[a].yaml',
        'a/b.yaml',
        'a/a/b.yaml',
        'a/b/ab.yaml',
        'b/a.yaml',
      ];
      names.push('b/a/b/a.yaml', 'ab/b.yaml', '#.yaml', '!a.yaml', 'a*.yaml', 'b/B.yaml');
      write(folder, Object.fromEntries(names.filter((name) => name !== 'a').map((name) => [name, ''])));
      const pieces = [
        'a',
        'b',
        '*',
        '**',
        '/',
        '/',
        '?',
        '.yaml',
        '[ab]',
        '[!a]',
        '[^b-z]',
        '[[:upper:]]',
        '\\',
        ' ',
        '!',
        '#',
      ];
      const pattern = fc
        .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 })
        .map((parts) => parts.join(''));
      // git takes `//` and `a**` differently depending on what stands before, and nobody writes them.
      const patterns = fc.array(
        pattern.filter((text) => !/\/\/|[^/]\*\*/.test(text)),
        { minLength: 1, maxLength: 4 },
      );
      await fc.assert(
        fc.asyncProperty(patterns, patterns, async (root, inner) => {
          write(folder, { '.gitignore': root.join('\n'), 'a/.gitignore': inner.join('\n') });
          const listed = runGit(folder, ['ls-files', '-o', '-z', '--exclude-standard', '--', '*.yaml']);
          const wanted = listed.split('\0').filter((name) => name !== '');
          assert.deepEqual(Object.keys(await readAll(folder)).sort(), wanted.sort());
        }),
        { numRuns: 60 },
      );
    }));
});
