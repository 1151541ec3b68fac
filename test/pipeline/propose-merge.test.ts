import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { imageText, oneApp, useReviewedRepos } from './reviewed-repo.ts';

describe('pull requests on Gitea: merge', { concurrency: false }, () => {
  const open = useReviewedRepos();
  const branch = 'tallyman/main/updates';

  it('opens one, leaves it alone, updates it in place, is done once it is merged, and proposes nothing that a person went back from', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.4.2', '1.5.0']);
    const first = await repo.pass();
    assert.deepEqual(
      first.proposals.map(({ state, branch }) => ({ state, branch })),
      [{ state: 'opened', branch }],
    );
    const [opened] = await repo.pulls();
    assert.equal(opened?.title, 'shop/web: 1.4.2 → 1.5.0');
    assert.match(opened?.body ?? '', /^- `shop\/web`: `1\.4\.2` → `1\.5\.0` in `web\.yaml`$/m);
    assert.match(opened?.body ?? '', /^Tallyman-Update: shop\/web ghcr\.io\/acme\/web 1\.4\.2 -> 1\.5\.0$/m);
    assert.equal(repo.read('web.yaml'), imageText('web', '1.4.2'), 'main is as it was');
    const tip = repo.tip(branch);

    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['waiting'],
    );
    repo.commit({ 'other.txt': 'changed\n' });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['waiting'],
      'another file moved',
    );
    assert.equal(repo.tip(branch), tip);

    repo.tags.set('web', ['1.4.2', '1.5.0', '1.6.0']);
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['updated'],
    );
    const [updated, ...more] = await repo.pulls();
    assert.deepEqual([updated?.number, updated?.title, more.length], [opened?.number, 'shop/web: 1.4.2 → 1.6.0', 0]);
    assert.equal(repo.read('web.yaml', branch), imageText('web', '1.6.0'));

    await repo.merge(opened?.number ?? 0, 'squash');
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['deleted'],
    );
    assert.deepEqual((await repo.pass()).proposals, []);
    assert.equal(repo.read('web.yaml'), imageText('web', '1.6.0'));
    assert.equal(repo.tip(branch), undefined);

    const { message } = await repo.info('main');
    assert.ok(!message.includes('Tallyman'), message);
    repo.commit({ 'web.yaml': imageText('web', '1.5.0') });
    for (const tallyman of [0, 1]) {
      const { problems, proposals } = await repo.pass(tallyman);
      assert.deepEqual([problems.map(({ code }) => code), proposals], [['ImageHeld'], []]);
      assert.match(problems[0]?.message ?? '', /1\.6\.0/);
    }
    repo.tags.set('web', ['1.5.0', '1.6.0', '1.7.0']);
    await repo.pass();
    assert.equal((await repo.pulls())[0]?.title, 'shop/web: 1.5.0 → 1.7.0');
  });

  for (const way of ['merge', 'rebase'] as const)
    it(`has nothing more to do after a ${way}, and opens another for the next version`, async () => {
      const repo = await open(oneApp);
      repo.tags.set('web', ['1.5.0']);
      await repo.pass();
      const [opened] = await repo.pulls();
      repo.commit({ 'other.txt': 'changed\n' });
      await repo.merge(opened?.number ?? 0, way);
      assert.equal(repo.read('web.yaml'), imageText('web', '1.5.0'));
      repo.tags.set('web', ['1.5.0', '1.6.0']);
      assert.deepEqual(
        (await repo.pass()).proposals.map(({ state }) => state),
        ['opened'],
      );
      const [next] = await repo.pulls();
      assert.equal(next?.title, 'shop/web: 1.5.0 → 1.6.0');
    });
});
