import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Snapshot } from '../../src/pipeline/ports.ts';
import { runGit } from '../services/git-server.ts';
import { makeWorkTree, open, status } from './local-scene.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

const before = 'image: web:1\n';
const after = 'image: web:2\n';
const fileOf = (work: string): string => join(work, 'apps/web.yaml');
const journalOf = (work: string): string => join(work, '.git/tallyman-push');

/** What a push to `to` has done when it dies at the end: journal, files, index; the ref as the caller wants it. */
function crash(work: string, base: Snapshot, to: string): void {
  const blob = runGit(work, ['hash-object', '-w', '--stdin'], after);
  const changes = [{ path: 'apps/web.yaml', from: oidOf(base, 'apps/web.yaml'), to: blob }];
  writeFileSync(journalOf(work), JSON.stringify({ from: base.commit, to, changes }));
  writeFileSync(fileOf(work), after);
  runGit(work, ['add', '.']);
}

describe('local work tree, after a push that crashed', () => {
  it('is put back where the branch had not moved', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      crash(work, base, 'f'.repeat(40));
      assert.equal((await repo.fetch({ signal })).commit, base.commit);
      assert.equal((await repo.push(newCommit(base, { 'apps/run.sh': 'echo 2\n' }), { signal })).kind, 'pushed');
      assert.deepEqual([readFileSync(fileOf(work), 'utf8'), status(work)], [before, '']);
      assert.deepEqual(
        readdirSync(join(work, '.git')).filter((name) => /tallyman|lock/.test(name)),
        [],
      );
      await repo.close();
    }));

  for (const [name, look] of [
    ['a push', true],
    ['a look', false],
  ] as const) {
    it(`loses no edit of a person to ${name} where the branch had moved`, () =>
      withFolder(async (folder) => {
        const work = makeWorkTree(folder);
        const repo = open(work);
        const base = await repo.fetch({ signal });
        crash(work, base, '');
        runGit(work, ['commit', '-q', '-m', 'the push']);
        const to = runGit(work, ['rev-parse', 'main']);
        writeFileSync(journalOf(work), readFileSync(journalOf(work), 'utf8').replace('"to":""', `"to":"${to}"`));
        // A person takes the version back in a commit, then edits it again by hand.
        runGit(work, ['revert', '--no-edit', 'HEAD']);
        writeFileSync(fileOf(work), after);
        const tip = look ? base : await repo.fetch({ signal });
        if (look) assert.equal((await repo.push(newCommit(tip, { 'apps.b': 'x' }), { signal })).kind, 'moved');
        assert.deepEqual([readFileSync(fileOf(work), 'utf8'), existsSync(journalOf(work))], [after, false]);
        await repo.close();
      }));
  }

  it('passes over a journal that cannot be read', () =>
    withFolder(async (folder) => {
      const work = makeWorkTree(folder);
      const repo = open(work);
      const base = await repo.fetch({ signal });
      for (const text of ['', '[]', 'null', '{"from":1}', `{"from":"${base.commit}"}`, '{"from":']) {
        writeFileSync(journalOf(work), text);
        await repo.fetch({ signal });
        assert.equal(existsSync(journalOf(work)), false, text);
      }
      assert.equal(status(work), '');
      await repo.close();
    }));

  it('leaves no name too long behind for a long file name', () =>
    withFolder(async (folder) => {
      const name = `${'n'.repeat(245)}.yaml`;
      const work = makeWorkTree(folder, { [name]: before });
      const repo = open(work);
      const base = await repo.fetch({ signal });
      assert.equal((await repo.push(newCommit(base, { [name]: after }), { signal })).kind, 'pushed');
      assert.deepEqual([readFileSync(join(work, name), 'utf8'), status(work)], [after, '']);
      assert.deepEqual(readdirSync(work).sort(), ['.git', name]);
      await repo.close();
    }));
});
