import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatChangedIndex, parseIndex } from '../../src/git/git-index.ts';
import { runGit } from '../services/git-server.ts';
import { makeWorkTree } from './local-scene.ts';
import { withFolder } from './workshop.ts';

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
