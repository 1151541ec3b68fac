import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { imageText, oneApp, useReviewedRepos } from './reviewed-repo.ts';

describe('pull requests on Gitea: upkeep', { concurrency: false }, () => {
  const open = useReviewedRepos();
  const branch = 'tallyman/main/updates';

  it('rebuilds on a base whose files changed', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const base = repo.commit({ 'web.yaml': `replicas: 2\n${imageText('web', '1.4.2')}` });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['updated'],
    );
    assert.equal(repo.read('web.yaml', branch), `replicas: 2\n${imageText('web', '1.5.0')}`);
    assert.equal(repo.tip(`${branch}~1`), base);
    assert.equal((await repo.pulls()).length, 1);
  });

  it('closes what somebody wrote by hand, and says so', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const [opened] = await repo.pulls();
    repo.commit({ 'web.yaml': imageText('web', '1.5.0') });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['closed'],
    );
    assert.deepEqual(await repo.pulls(), []);
    assert.equal(repo.tip(branch), undefined);
    assert.match((await repo.comments(opened?.number ?? 0)).join(), /Closed: nothing of this/);
    repo.commit({ 'web.yaml': imageText('web', '1.4.2') });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['opened'],
      'what we closed holds nothing',
    );
  });

  it('holds what a person closed, until there is a newer version', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const [opened] = await repo.pulls();
    await repo.close(opened?.number ?? 0);
    repo.tags.set('web', ['1.4.5', '1.5.0']);
    const held = await repo.pass();
    assert.deepEqual(
      held.proposals.map(({ state }) => state),
      ['held'],
    );
    assert.deepEqual(
      held.problems.map(({ code, policy }) => [code, policy]),
      [['ImageHeld', 'shop/web']],
    );
    assert.deepEqual(await repo.pulls(), []);
    repo.tags.set('web', ['1.5.0', '1.5.1']);
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['opened'],
    );
    const [next] = await repo.pulls();
    assert.equal(next?.title, 'shop/web: 1.4.2 → 1.5.1');
  });
});
