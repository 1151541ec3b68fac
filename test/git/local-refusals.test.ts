import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { failureOf, files, makeWorkTree, open } from './local-scene.ts';
import { signal, withFolder } from './workshop.ts';

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
