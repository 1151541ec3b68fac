import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { formatPolicy, makeApp } from './manifests.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

describe('tallyman set', { concurrency: 3 }, () => {
  let world: World;
  let image: string;
  before(async () => {
    world = await startWorld();
    image = `${world.registry.host}/acme/web`;
    for (const tag of ['1.4.2', '1.5.0', '2.0.0', 'nightly']) await world.publish('acme/web', tag);
  });
  after(() => world?.close());

  const open = (name: string, more: Readonly<Record<string, string>> = {}) => {
    const bare = world.makeRepo(name, { ...makeApp('web', image, '1.4.2'), ...more });
    const config = world.configure(name, { repos: [world.remote(name)] });
    return { bare, set: (...args: readonly string[]) => world.run(['set', ...args, '--config', config]) };
  };

  it('writes the tag with the trailers of a pass, and finds it there the second time', async () => {
    const { bare, set } = open('written');
    const first = await set(`${image}:1.5.0`);
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, `shop/web: written: 1.4.2 → 1.5.0\ncommitted as ${tipOf(bare)}\n`);
    assert.match(readTree(bare)['web/deployment.yaml']?.text ?? '', /:1\.5\.0\n$/);
    assert.match(
      runGit(bare, ['log', '-1', '--format=%B', 'main']),
      /\nTallyman-Update: shop\/web \S+ 1\.4\.2 -> 1\.5\.0\nTallyman-Plan: /,
    );
    const tip = tipOf(bare);
    const second = await set(`${image}:1.5.0`);
    assert.deepEqual(
      [second.code, second.stdout, tipOf(bare)],
      [0, 'shop/web: present: 1.5.0 is there already\n', tip],
    );
  });

  it('says why every policy refuses, and exits with 1', async () => {
    const { bare, set } = open('refused', {
      'other/policy.yaml': formatPolicy('other', image, '{ semver: ">=3.0.0" }'),
    });
    const start = tipOf(bare);
    const { code, stdout } = await set(`${image}:2.0.0`, '--output', 'json');
    assert.equal(code, 1);
    const [report] = JSON.parse(stdout);
    assert.deepEqual(
      report.policies.map((one: { policy: string; outcome: string }) => [one.policy, one.outcome]),
      [
        ['shop/other', 'refused'],
        ['shop/web', 'refused'],
      ],
    );
    assert.match(report.policies[1].reason, />=1\.0\.0 <2\.0\.0/);
    assert.deepEqual([report.commits, tipOf(bare)], [[], start]);
    const none = await set(`${world.registry.host}/acme/none:1.0.0`);
    assert.equal(none.code, 1);
    assert.match(none.stdout, /no policy is about this image/);
  });

  it('exits with 2 where it is used wrongly, and with 3 where the tag is not there or is another image', async () => {
    const { set } = open('wrong');
    for (const [reference, code, message] of [
      [image, 2, /it has no tag/],
      ['UPPER:1', 2, /upper-case/],
      [`${image}:1.9.9`, 3, /\[ImageNotFound\]/],
      [`${image}:1.5.0@sha256:${'0'.repeat(64)}`, 3, /the digest given was wanted/],
    ] as const) {
      const result = await set(reference);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    }
  });
});
