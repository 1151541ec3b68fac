import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { formatDeployment, formatPolicy, makeApp } from './manifests.ts';
import type { Finished, LogLine } from './run-program.ts';
import { readTree, startWorld, tipOf, type World, wrongPassword } from './world.ts';

/** The same registry under a name of its own, so that it can have credentials of its own. */
const asLocalhost = (host: string): string => host.replace('127.0.0.1', 'localhost');

describe('one pass over a repo with every kind of bad input', () => {
  let world: World;
  let bare: string;
  let start: string;
  let closed: string;
  let result: Finished;

  before(async () => {
    world = await startWorld();
    closed = `127.0.0.1:${await findClosedPort()}`;
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
    bare = world.makeRepo('mixed', makeFiles(world.registry.host, closed));
    start = tipOf(bare);
    const passwordFile = world.write('wrong-registry-password', `${wrongPassword}\n`);
    const config = world.configure('mixed', {
      repos: [world.remote('mixed')],
      registries: [
        { host: world.registry.host, credentials: { username: 'tally', passwordEnv: 'REGISTRY_PASSWORD' } },
        { host: asLocalhost(world.registry.host), credentials: { username: 'tally', passwordFile } },
      ],
    });
    result = await world.run(['run', '--once', '--config', config]);
  });
  after(() => world?.close());

  it('exits with 1, and the good policy has its commit', () => {
    assert.equal(result.code, 1, result.stderr);
    assert.match(readTree(bare)['good/deployment.yaml']?.text ?? '', /acme\/web:1\.5\.0\n/);
    assert.notEqual(tipOf(bare), start);
    assert.equal(result.log.at(-1)?.updates, 1);
    assert.equal(result.log.at(-1)?.problems, expected.length);
  });

  it('changes nothing else', () => {
    assert.equal(runGit(bare, ['diff', '--numstat', start, 'main']), '1\t1\tgood/deployment.yaml');
  });

  /** In no order. */
  const expected: readonly (Readonly<Record<string, unknown>> & { name: string; msg: RegExp; remedy: RegExp })[] = [
    {
      name: 'a field that is not known',
      code: 'PolicyInvalid',
      policy: 'shop/field',
      file: 'bad/field.yaml',
      line: 8,
      column: 13,
      msg: /^Cannot use field "spec\.select\.semvar": it is not known here, a field of the schema was wanted$/,
      remedy: /tallyman check/,
    },
    {
      name: 'a field that is missing',
      code: 'PolicyInvalid',
      policy: 'shop/field',
      file: 'bad/field.yaml',
      line: 8,
      column: 11,
      msg: /^Cannot use field "spec\.select": a map with "semvar" was found, exactly one of semver, .* was wanted$/,
      remedy: /tallyman check/,
    },
    {
      name: 'a pattern that RE2 refuses',
      code: 'PolicyInvalid',
      policy: 'shop/pattern',
      file: 'bad/pattern.yaml',
      line: 8,
      column: 41,
      msg: /^Cannot use pattern "\^\(\?!rc\)": .*, a pattern in RE2 syntax was wanted$/,
      remedy: /without look-around and back-references/,
    },
    {
      name: 'a bad range',
      code: 'PolicyInvalid',
      policy: 'shop/range',
      file: 'bad/range.yaml',
      line: 8,
      column: 21,
      msg: /^Cannot use range ">=one": it is not a range of npm semver$/,
      remedy: /Write a range such as/,
    },
    {
      name: 'text that is no YAML',
      code: 'FileUnreadable',
      file: 'bad/syntax.yaml',
      line: 10,
      column: 1,
      msg: /^Cannot read file "bad\/syntax\.yaml" as YAML: /,
      remedy: /YAML/,
    },
    {
      name: 'a registry that does not listen',
      code: 'RegistryUnavailable',
      policy: 'shop/unreachable',
      file: 'unreachable/policy.yaml',
      line: 1,
      column: 1,
      msg: /^Cannot list the tags of "127\.0\.0\.1:\d+\/acme\/web": .*ECONNREFUSED/,
      remedy: /Check that the registry/,
    },
    {
      name: 'a wrong registry password',
      code: 'RegistryDenied',
      policy: 'shop/denied',
      file: 'denied/policy.yaml',
      line: 1,
      column: 1,
      msg: /^Cannot list the tags of "localhost:\d+\/acme\/web": the registry answered 401 .*with the credentials configured/,
      remedy: /Correct the credentials of user "tally" .*`registries`/,
    },
    {
      name: 'a repository that is not there',
      code: 'ImageNotFound',
      policy: 'shop/missing',
      file: 'missing/policy.yaml',
      line: 1,
      column: 1,
      msg: /^Cannot list the tags of "127\.0\.0\.1:\d+\/acme\/none": the registry answered 404 /,
      remedy: /Correct spec\.image/,
    },
    {
      name: 'a policy without a place',
      code: 'TargetMissing',
      policy: 'shop/placeless',
      file: 'placeless/policy.yaml',
      line: 1,
      column: 1,
      msg: /^Cannot find a place for policy "shop\/placeless": /,
      remedy: /marker/,
    },
    {
      name: 'a marker for no policy',
      code: 'MarkerUnknown',
      file: 'bad/marker.yaml',
      line: 1,
      column: 6,
      msg: /^Cannot follow the image policy marker: there is no policy "shop\/nobody"/,
      remedy: /ImagePolicy/,
    },
  ];
  for (const { name, msg, remedy, ...facts } of expected)
    it(`tells of ${name}: where, what was found, what was wanted, what to do`, () => {
      const line = result.log.find((candidate) => msg.test(candidate.msg) && matches(candidate, facts));
      assert.ok(
        line,
        `${JSON.stringify(facts)} is not in\n${result.log
          .filter(({ code }) => code)
          .map((candidate) => JSON.stringify(candidate))
          .join('\n')}`,
      );
      assert.match(String(line.remedy), remedy);
    });
});

function matches(line: LogLine, facts: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(facts).every(([key, value]) => line[key] === value);
}

function makeFiles(host: string, closed: string): Record<string, string> {
  const image = `${host}/acme/web`;
  return {
    ...makeApp('good', image, '1.4.2'),
    ...makeApp('unreachable', `${closed}/acme/web`, '1.4.2'),
    ...makeApp('denied', `${asLocalhost(host)}/acme/web`, '1.4.2'),
    ...makeApp('missing', `${host}/acme/none`, '1.4.2'),
    'placeless/policy.yaml': formatPolicy('placeless', image),
    'bad/field.yaml': formatPolicy('field', image, '{ semvar: "*" }'),
    'bad/pattern.yaml': formatPolicy('pattern', image, `{ semver: "*", include: ['a', '^(?!rc)'] }`),
    'bad/range.yaml': formatPolicy('range', image, '{ semver: ">=one" }'),
    'bad/syntax.yaml': `${formatPolicy('syntax', image)}  pin: [\n`,
    'bad/marker.yaml': `tag: 1.4.2 # {"$imagepolicy": "shop:nobody:tag"}\n`,
    'bad/deployment.yaml': formatDeployment('bad', `${image}:1.4.2`),
  };
}

async function findClosedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
