import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOwnCommit } from '../../src/pipeline/propose-mark.ts';
import { imageText, oneApp, policyText, useReviewedRepos } from './reviewed-repo.ts';

describe('pull requests on Gitea: people', { concurrency: false }, () => {
  const open = useReviewedRepos();
  const branch = 'tallyman/main/updates';

  it('never touches a branch that a person pushed to', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const theirs = repo.commit({ 'web.yaml': `# by hand\n${imageText('web', '1.5.0')}` }, branch);
    repo.tags.set('web', ['1.5.0', '1.6.0']);
    const report = await repo.pass();
    assert.deepEqual(
      report.proposals.map(({ state }) => state),
      ['taken'],
    );
    assert.deepEqual(
      report.problems.map(({ code }) => code),
      ['BranchTaken'],
    );
    assert.equal(repo.tip(branch), theirs);
    repo.commit({ 'web.yaml': imageText('web', '1.6.0') });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['taken'],
    );
    assert.equal((await repo.pulls()).length, 1);
  });

  it('makes one pull request for each group, also where two Tallymen look at the same time', async () => {
    const repo = await open({
      ...oneApp,
      'api-policy.yaml': policyText('api', 'mode: pull-request, group: back'),
      'api.yaml': imageText('api', '2.0.0'),
    });
    repo.tags.set('web', ['1.5.0']).set('api', ['2.1.0']);
    const [one, two] = await Promise.all([repo.pass(), repo.pass(1)]);
    const states = [...one.proposals, ...two.proposals].map(({ branch, state }) => `${branch} ${state}`).sort();
    assert.equal(states.length, 4);
    await repo.pass();
    const titles = (await repo.pulls()).map(({ title }) => title).sort();
    assert.deepEqual(titles, ['shop/api: 2.0.0 → 2.1.0', 'shop/web: 1.4.2 → 1.5.0']);
    assert.ok(readOwnCommit(await repo.info(branch)));
  });
});
