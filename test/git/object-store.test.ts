import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createObjectStore } from '../../src/git/object-store.ts';
import { commitFiles, makeBareRepo, manyFiles, runGit } from '../services/git-server.ts';
import { signal, withFolder } from './workshop.ts';

/** Deleted packs of the folder that this process has open. */
const listDeleted = (folder: string): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) && target.endsWith('(deleted)') ? [target] : [];
    } catch {
      return [];
    }
  });

describe('object store, its open packs', () => {
  it('closes packs that gc has removed, also while blobs are being read', { skip: process.platform !== 'linux' }, () =>
    withFolder(async (folder) => {
      const repo = makeBareRepo(join(folder, 'x.git'), manyFiles(1000));
      const list = (): string[] => runGit(repo, ['ls-tree', '-r', '--format=%(objectname)', 'main']).split('\n');
      const store = createObjectStore(join(repo, 'objects'));
      const oids = list();
      for (const text of ['1', '2', '3']) {
        const reading = store.readBlobs(oids, { maxBytes: 1e6, signal });
        commitFiles(repo, { 'new.yaml': text });
        runGit(repo, ['repack', '-q', '-a', '-d', '-f', `--window=${text}`]);
        const tip = runGit(repo, ['rev-parse', 'main']);
        assert.equal(store.has(tip), true);
        assert.equal((await reading).size, 1000);
        assert.deepEqual([listDeleted(folder), store.countPacks()], [[], 1]);
      }
      store.close();
    }),
  );
});
