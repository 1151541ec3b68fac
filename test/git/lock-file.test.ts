import assert from 'node:assert/strict';
import fs, { existsSync, linkSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it, mock } from 'node:test';
import { acquireLock } from '../../src/git/lock-file.ts';
import { signal, withFolder } from './workshop.ts';

const noteName = (pid: number): string => `tallyman-lock-${hostname().replace(/[^A-Za-z0-9.]/g, '_')}-${pid}-x`;
const deadPid = 2 ** 22 + 1;

/** A lock whose owner is gone. */
function leaveLock(folder: string): string {
  const note = join(folder, noteName(deadPid));
  writeFileSync(note, '');
  const lock = join(folder, 'file.lock');
  linkSync(note, lock);
  return lock;
}

describe('lock file', () => {
  it('is taken from a process that is gone, with all that it left', () =>
    withFolder(async (folder) => {
      leaveLock(folder);
      const lock = await acquireLock({ file: join(folder, 'file'), notesDir: folder, signal });
      lock.write('new');
      lock.commit();
      assert.deepEqual(readdirSync(folder), ['file']);
      assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new');
    }));

  it('is given back to one who took it at the same moment', () =>
    withFolder(async (folder) => {
      const lock = leaveLock(folder);
      const rename = fs.renameSync;
      let theirs: bigint | undefined;
      mock.method(fs, 'renameSync', (from: string, to: string) => {
        if (theirs === undefined) {
          rmSync(lock);
          writeFileSync(lock, 'theirs');
          theirs = lstatSync(lock, { bigint: true }).ino;
        }
        rename(from, to);
      });
      syncBuiltinESMExports();
      try {
        const failure = acquireLock({ file: join(folder, 'file'), notesDir: folder, signal });
        await assert.rejects(failure, { code: 'RepoUnavailable', message: /another process holds/ });
      } finally {
        mock.restoreAll();
        syncBuiltinESMExports();
      }
      assert.equal(lstatSync(lock, { bigint: true }).ino, theirs);
      assert.deepEqual(readdirSync(folder), ['file.lock']);
    }));

  it('of a process that lives is left alone, and its note too', () =>
    withFolder(async (folder) => {
      const note = join(folder, noteName(process.ppid));
      writeFileSync(note, '');
      linkSync(note, join(folder, 'file.lock'));
      const failure = acquireLock({ file: join(folder, 'file'), notesDir: folder, signal });
      await assert.rejects(failure, { code: 'RepoUnavailable' });
      assert.ok(existsSync(note) && existsSync(join(folder, 'file.lock')));
    }));
});
