import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readOwnCommit } from '../../src/pipeline/propose-mark.ts';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { openReviewedRepo, type ReviewedRepo } from './reviewed-repo.ts';

describe('pull-request mode on Gitea', { concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-propose-'));
  let gitea: Gitea;
  let count = 0;

  before(async () => {
    gitea = await startGitea();
  });
  after(async () => {
    await gitea?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (files: Readonly<Record<string, string>>): Promise<ReviewedRepo> => {
    count += 1;
    return openReviewedRepo(gitea, { name: `deploy-${count}`, folder: join(folder, String(count)), files });
  };
  const policy = (name: string, write = 'mode: pull-request') =>
    `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {image: ghcr.io/acme/${name}, select: {semver: "*"}, write: {${write}}}\n`;
  const image = (name: string, tag: string) => `# ${name}\nimage: ghcr.io/acme/${name}:${tag}\n`;
  const oneApp = { 'policy.yaml': policy('web'), 'web.yaml': image('web', '1.4.2'), 'other.txt': 'other\n' };
  const branch = 'tallyman/main/updates';

  it('opens one, leaves it alone, updates it in place, and does nothing more once it is merged', async () => {
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
    assert.equal(repo.read('web.yaml'), image('web', '1.4.2'), 'main is as it was');
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
    assert.equal(repo.read('web.yaml', branch), image('web', '1.6.0'));

    await repo.merge(opened?.number ?? 0, 'squash');
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['deleted'],
    );
    assert.deepEqual((await repo.pass()).proposals, []);
    assert.equal(repo.read('web.yaml'), image('web', '1.6.0'));
    assert.equal(repo.tip(branch), undefined);
  });

  for (const way of ['merge', 'rebase'] as const)
    it(`has nothing more to do after a ${way}, and opens another for the next version`, async () => {
      const repo = await open(oneApp);
      repo.tags.set('web', ['1.5.0']);
      await repo.pass();
      const [opened] = await repo.pulls();
      repo.commit({ 'other.txt': 'changed\n' });
      await repo.merge(opened?.number ?? 0, way);
      assert.equal(repo.read('web.yaml'), image('web', '1.5.0'));
      repo.tags.set('web', ['1.5.0', '1.6.0']);
      assert.deepEqual(
        (await repo.pass()).proposals.map(({ state }) => state),
        ['opened'],
      );
      const [next] = await repo.pulls();
      assert.equal(next?.title, 'shop/web: 1.5.0 → 1.6.0');
    });

  it('rebuilds on a base whose files changed', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const base = repo.commit({ 'web.yaml': `replicas: 2\n${image('web', '1.4.2')}` });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['updated'],
    );
    assert.equal(repo.read('web.yaml', branch), `replicas: 2\n${image('web', '1.5.0')}`);
    assert.equal(repo.tip(`${branch}~1`), base);
    assert.equal((await repo.pulls()).length, 1);
  });

  it('closes what somebody wrote by hand, and says so', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const [opened] = await repo.pulls();
    repo.commit({ 'web.yaml': image('web', '1.5.0') });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['closed'],
    );
    assert.deepEqual(await repo.pulls(), []);
    assert.equal(repo.tip(branch), undefined);
    assert.match((await repo.comments(opened?.number ?? 0)).join(), /Closed: nothing of this/);
    repo.commit({ 'web.yaml': image('web', '1.4.2') });
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

  it('never touches a branch that a person pushed to', async () => {
    const repo = await open(oneApp);
    repo.tags.set('web', ['1.5.0']);
    await repo.pass();
    const theirs = repo.commit({ 'web.yaml': `# by hand\n${image('web', '1.5.0')}` }, branch);
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
    repo.commit({ 'web.yaml': image('web', '1.6.0') });
    assert.deepEqual(
      (await repo.pass()).proposals.map(({ state }) => state),
      ['taken'],
    );
    assert.equal((await repo.pulls()).length, 1);
  });

  it('makes one pull request for each group, also where two Tallymen look at the same time', async () => {
    const repo = await open({
      ...oneApp,
      'api-policy.yaml': policy('api', 'mode: pull-request, group: back'),
      'api.yaml': image('api', '2.0.0'),
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
