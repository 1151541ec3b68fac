import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { ClosableYamlRepo } from '../../src/git/yaml-repo.ts';
import { runGit } from '../services/git-server.ts';
import { failureOf, withScene } from './remote-scene.ts';
import { withSshScene } from './ssh-scene.ts';
import { newCommit, signal } from './workshop.ts';

interface Place {
  readonly bare: string;
  open(options: { checkWrite: () => void }): ClosableYamlRepo;
}

const places: Record<string, (run: (place: Place) => Promise<void>) => Promise<void>> = {
  HTTP: (run) => withScene(run),
  SSH: (run) => withSshScene(run),
};
const refuse = () => {
  throw new TallymanError('LeadershipLost', 'Cannot write: it is over, a Lease was wanted');
};
/** Several pieces, which no compression makes fewer. */
const large = randomBytes(400_000).toString('hex');

for (const [name, within] of Object.entries(places))
  describe(`leave to push over ${name}`, () => {
    it('is asked for before the bytes leave, and nothing is written without it', () =>
      within(async ({ bare, open }) => {
        const state = { mayWrite: false, asked: 0 };
        const repo = open({
          checkWrite() {
            state.asked += 1;
            if (!state.mayWrite) refuse();
          },
        });
        const base = await repo.fetch({ signal });
        assert.equal(state.asked, 0, 'reading needs none');
        const commit = newCommit(base, { 'apps.yaml': 'new' });
        const before = runGit(bare, ['for-each-ref']);
        const push = { branch: 'tallyman/x', expected: undefined, commit };
        for (const write of [() => repo.push(commit, { signal }), () => repo.pushBranch(push, { signal })])
          assert.equal((await failureOf(write())).code, 'LeadershipLost');
        assert.equal(runGit(bare, ['for-each-ref']), before);
        assert.equal(state.asked, 2, 'it is not tried again');
        state.mayWrite = true;
        assert.equal((await repo.push(commit, { signal })).kind, 'pushed');
        const made = await repo.pushBranch(push, { signal });
        const expected = 'commit' in made ? made.commit : '';
        state.mayWrite = false;
        const branch = { branch: 'tallyman/x', expected };
        assert.equal((await failureOf(repo.deleteBranch(branch, { signal }))).code, 'LeadershipLost');
        assert.equal(runGit(bare, ['rev-parse', 'tallyman/x']), expected);
        state.mayWrite = true;
        assert.equal(await repo.deleteBranch(branch, { signal }), true);
      }));

    it('that ends on the way ends the push', () =>
      within(async ({ bare, open }) => {
        let left = 2;
        const repo = open({
          checkWrite() {
            left -= 1;
            if (left < 0) refuse();
          },
        });
        const base = await repo.fetch({ signal });
        const commit = newCommit(base, { 'apps.yaml': large });
        assert.equal((await failureOf(repo.push(commit, { signal }))).code, 'LeadershipLost');
        assert.equal(left, -1);
        assert.equal(runGit(bare, ['rev-parse', 'main']), base.commit);
        left = 100;
        assert.equal((await repo.push(commit, { signal })).kind, 'pushed');
        assert.ok(left < 97, 'piece by piece');
        assert.equal(runGit(bare, ['show', 'main:apps.yaml']), large);
        runGit(bare, ['fsck', '--strict']);
      }));
  });
