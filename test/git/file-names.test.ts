import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decodeName } from '../../src/git/tree.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';
import { makeWorkTree, open, status } from './local-scene.ts';
import { newCommit, signal, withFolder } from './workshop.ts';

/** `latin\xff.yaml` and `fol\xe9der/x.yaml`: bytes that are no UTF-8. */
const latinFile = Buffer.from('latin\u00ff.yaml', 'latin1');
const latinFolder = Buffer.from('fol\u00e9der/x.yaml', 'latin1');

/** A commit behind main with both; git's own tools write it. */
function addLatinNames(repo: string): void {
  const oid = runGit(repo, ['hash-object', '-w', '--stdin'], 'image: web:1\n');
  const tree = runGit(repo, ['rev-parse', 'main^{tree}']);
  const folder = runGit(repo, ['mktree', '-z'], Buffer.from(`100644 blob ${oid}\tx.yaml\0`));
  const row = (kind: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${kind}\t`), name, Buffer.alloc(1)]);
  const rows = Buffer.concat([
    Buffer.from(`${runGit(repo, ['ls-tree', '-z', tree])}`),
    row(`100644 blob ${oid}`, latinFile),
    row(`040000 tree ${folder}`, latinFolder.subarray(0, latinFolder.indexOf('/'))),
  ]);
  const made = runGit(repo, ['mktree', '-z'], rows);
  const commit = runGit(repo, ['commit-tree', made, '-p', 'main', '-m', 'Latin names']);
  runGit(repo, ['update-ref', 'refs/heads/main', commit]);
}

const showEntry = (repo: string, name: Buffer): string =>
  runGit(repo, ['ls-tree', '-r', '-z', 'main'])
    .split('\0')
    .filter((line) => line.includes(name.toString('utf8')))
    .join();

describe('file names that are not UTF-8', () => {
  it('are told from those that are', () => {
    assert.equal(decodeName('web.yaml'), 'web.yaml');
    assert.equal(decodeName(Buffer.from('\ufeffgröße\ufffd').toString('latin1')), '\ufeffgröße\ufffd');
    for (const name of [latinFile, latinFolder]) assert.equal(decodeName(name.toString('latin1')), undefined);
  });

  it('are left out of the snapshot and kept in the commit', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'x.git'), { 'apps/web.yaml': 'image: web:1\n', 'a.yaml': 'x' });
      addLatinNames(bare);
      const before = [latinFile, latinFolder].map((name) => showEntry(bare, name));
      const repo = open(bare);
      const base = await repo.fetch({ signal });
      assert.deepEqual(
        base.files.map((file) => file.path),
        ['a.yaml', 'apps/web.yaml'],
      );
      const changes = Object.fromEntries(base.files.map((file) => [file.path, 'new']));
      assert.equal((await repo.push(newCommit(base, changes), { signal })).kind, 'pushed');
      assert.deepEqual(
        [latinFile, latinFolder].map((name) => showEntry(bare, name)),
        before,
      );
      const changed = runGit(bare, ['diff', '--name-only', 'main~', 'main']);
      assert.equal(changed, 'a.yaml\napps/web.yaml');
      runGit(bare, ['fsck', '--strict']);
      await repo.close();
    }));

  it('stay in a work tree that is changed', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      writeFileSync(Buffer.concat([Buffer.from(`${work}/`), latinFile]), 'image: web:1\n');
      runGit(work, ['add', '.']);
      runGit(work, ['commit', '-q', '-m', 'Latin name']);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      const changes = Object.fromEntries(
        base.files.filter((file) => file.mode === '100644').map(({ path }) => [path, 'new']),
      );
      assert.equal((await repo.push(newCommit(base, changes), { signal })).kind, 'pushed');
      assert.equal(status(work), '');
      await repo.close();
    }));
});
