import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { commitFiles, type FileContent, runGit } from '../services/git-server.ts';
import { formatDeployment, formatPolicy, makeApp } from './manifests.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

describe('tallyman plan', { concurrency: 2 }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
  });
  after(() => world?.close());

  it('prints a diff that `git apply` takes, and writes nothing', async () => {
    const image = `${world.registry.host}/acme/web`;
    const files = makePlanFiles(image);
    const bare = world.makeRepo('plan', files);
    const start = tipOf(bare);
    const config = world.configure('plan', { repos: [world.remote('plan')] });
    const { code, stdout, stderr } = await world.run(['plan', '--config', config]);
    assert.equal(code, 0, stderr);
    assert.equal(tipOf(bare), start);
    assert.deepEqual(
      world.git.requests.filter((request) => request.includes('receive-pack')),
      [],
    );
    runGit(world.folder, ['clone', '-q', bare, 'applied']);
    const clone = join(world.folder, 'applied');
    const patch = world.write('plan.patch', stdout);
    runGit(clone, ['apply', '--check', '--whitespace=nowarn', patch]);
    runGit(clone, ['apply', '--index', '--whitespace=nowarn', patch]);
    const applied = readTree(clone, runGit(clone, ['write-tree']));
    for (const [path, content] of Object.entries(files)) {
      const text = typeof content === 'string' ? content : content.text;
      assert.equal(applied[path]?.text, text.replaceAll(`${image}:1.4.2`, `${image}:1.5.0`), path);
    }
  });

  it('exits with 1 where there are problems too, with 0 and no output where nothing is to be done', async () => {
    const image = `${world.registry.host}/acme/web`;
    const bare = world.makeRepo('mixed-plan', {
      ...makeApp('web', image, '1.4.2'),
      'bad.yaml': formatPolicy('bad', image, '{}'),
    });
    const config = world.configure('mixed-plan', { repos: [world.remote('mixed-plan')] });
    const mixed = await world.run(['plan', '--config', config]);
    assert.equal(mixed.code, 1);
    assert.match(mixed.stdout, /^\+ {10}image: .*:1\.5\.0$/m);
    assert.match(
      mixed.stderr,
      /^bad\.yaml:8:11: Cannot use field "spec\.select": an empty map was found, exactly one of semver, .* \[PolicyInvalid\] /,
    );
    commitFiles(bare, { 'web/deployment.yaml': formatDeployment('web', `${image}:1.5.0`), 'bad.yaml': '' });
    const idle = await world.run(['plan', '--config', config]);
    assert.deepEqual([idle.code, idle.stdout], [0, '']);
  });
});

function makePlanFiles(image: string): Record<string, FileContent> {
  const deployment = formatDeployment('web', `${image}:1.4.2`);
  return {
    'policy.yaml': formatPolicy('web', image),
    'apps/first-line.yaml': `image: ${image}:1.4.2`,
    'apps/crlf.yaml': deployment.replaceAll('\n', '\r\n'),
    'apps/no-end.yaml': deployment.trimEnd(),
    'apps/bom.yaml': `\ufeff${deployment}`,
    'apps/with space.yaml': deployment,
    'apps/größe.yaml': deployment,
    'apps/far.yaml': `${deployment}${'# between\n'.repeat(20)}---\n${deployment}`,
    'apps/script.yaml': { mode: '100755', text: deployment },
  };
}

describe('tallyman check', { concurrency: 3 }, () => {
  // Nothing listens there: check asks no registry.
  const image = '127.0.0.1:1/acme/web';
  let world: World;
  before(async () => {
    world = await startWorld();
    world.makeRepo('good', makeApp('web', image, '1.4.2'));
    world.makeRepo('bad', {
      ...makeApp('web', image, '1.4.2'),
      'bad.yaml': formatPolicy('range', image, '{ semver: ">=one" }'),
    });
  });
  after(() => world?.close());
  const check = (name: string, ...flags: string[]) =>
    world.run([
      'check',
      ...flags,
      '--config',
      world.configure(`check-${name}${flags.join('')}`, { repos: [world.remote(name)] }),
    ]);

  it('tells people how many policies, targets and problems there are', async () => {
    const good = await check('good');
    assert.deepEqual(
      [good.code, good.stdout],
      [0, `${world.git.url('good.git')}: 1 policy, 1 target, 0 problems, 0 warnings\n`],
    );
    const bad = await check('bad');
    assert.equal(bad.code, 1);
    assert.match(
      bad.stdout,
      /^bad\.yaml:8:21: Cannot use range ">=one": .* \[PolicyInvalid\] Write a range .*\n.*: 1 policy, 1 target, 1 problem, 0 warnings\n$/,
    );
  });

  it('tells machines the same as JSON', async () => {
    const { code, stdout } = await check('bad', '--output', 'json');
    assert.equal(code, 1);
    const [report, ...others] = JSON.parse(stdout);
    assert.equal(others.length, 0);
    const targets = ['web/deployment.yaml:10 spec.template.spec.containers[0].image'];
    assert.deepEqual(report.policies, [{ policy: 'shop/web', image, targets }]);
    assert.equal(report.problems.length, 1);
    const { code: problemCode, place, policy, remedy } = report.problems[0];
    assert.deepEqual(
      { problemCode, place, policy },
      { problemCode: 'PolicyInvalid', place: { file: 'bad.yaml', line: 8, column: 21 }, policy: 'shop/range' },
    );
    assert.match(remedy, /^Write a range/);
  });

  it('looks at a folder as it is, without any configuration', async () => {
    runGit(world.folder, ['clone', '-q', join(world.folder, 'served/good.git'), 'folder']);
    const folder = join(world.folder, 'folder');
    const flags = ['check', '--repo', folder];
    assert.equal((await world.run(flags)).code, 0);
    writeFileSync(join(folder, 'web/policy.yaml'), formatPolicy('web', image, '{ semver: "*", exclude: ["("] }'));
    const { code, stdout } = await world.run(flags);
    assert.equal(code, 1);
    assert.match(stdout, /^web\/policy\.yaml:8:36: Cannot use pattern "\(": .* \[PolicyInvalid\]/);
  });
});
