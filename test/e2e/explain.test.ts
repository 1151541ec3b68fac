import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { formatPolicy, makeApp } from './manifests.ts';
import { startWorld, tipOf, type World } from './world.ts';

describe('tallyman explain', () => {
  let world: World;
  let bare: string;
  let config: string;
  before(async () => {
    world = await startWorld();
    for (const tag of ['1.4.2', '1.5.0', '2.0.0-rc.1']) await world.publish('acme/web', tag);
    const image = `${world.registry.host}/acme/web`;
    bare = world.makeRepo('explain', {
      ...makeApp('web', image, '1.4.2'),
      'bad.yaml': formatPolicy('bad', image, '{}'),
      'lost/policy.yaml': formatPolicy('lost', image, '{ semver: "*" }'),
    });
    config = world.configure('explain', { repos: [world.remote('explain')] });
  });
  after(() => world?.close());

  it('shows every place and every tag with its reason, and writes nothing', async () => {
    const start = tipOf(bare);
    const { code, stdout, stderr } = await world.run(['explain', 'shop/web', '--config', config]);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^web\/deployment\.yaml:\d+ spec\.template\.spec\.containers\[0\]\.image +1\.4\.2 → 1\.5\.0 +1\.5\.0 is above 1\.4\.2$/m,
    );
    const tags = stdout.slice(stdout.indexOf('TAG')).trim().split('\n').slice(1);
    assert.deepEqual(
      tags.map((line) => line.split(/ {2,}/)),
      [
        ['2.0.0-rc.1', 'rejected', 'prerelease'],
        ['1.5.0', 'selected', '1.5.0 is above 1.4.2'],
        ['1.4.2', 'candidate', 'not above 1.5.0'],
      ],
    );
    assert.equal(tipOf(bare), start);
  });

  it('gives the same as JSON', async () => {
    const { code, stdout } = await world.run(['explain', 'shop/web', '--config', config, '--output', 'json']);
    assert.equal(code, 0);
    const { policy, places, tags, problems } = JSON.parse(stdout);
    assert.deepEqual(
      [policy, places[0].current, places[0].next, tags.length, problems],
      ['shop/web', '1.4.2', '1.5.0', 3, []],
    );
  });

  it('shows the tags of a policy that finds no place too, and asks for no other image', async () => {
    const { code, stdout } = await world.run(['explain', 'shop/lost', '--config', config]);
    assert.equal(code, 1);
    assert.match(stdout, /TargetMissing/);
    assert.match(stdout, /^1\.5\.0 +selected +1\.5\.0 is the best candidate, Git has no version yet$/m);
  });

  const unknown: Record<string, [string, RegExp]> = {
    'a policy that cannot be used': ['shop/bad', /^bad\.yaml:8:11: Cannot use field "spec\.select"/],
    'a policy that is not there': ['shop/none', /Cannot explain policy "shop\/none": the Yaml repo has .*shop\/web/],
  };
  for (const [name, [key, message]] of Object.entries(unknown)) {
    it(`says what is wrong with ${name}`, async () => {
      const { code, stderr } = await world.run(['explain', key, '--config', config]);
      assert.equal(code, 1);
      assert.match(stderr, message);
    });
  }
});
