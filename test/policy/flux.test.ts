import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPolicies, readPolicyPieces, resolvePolicies } from '../../src/policy/read-policies.ts';
import { readYaml } from '../../src/yaml/read-yaml.ts';

const head = (kind: string, name = 'web') => `apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ${kind}
metadata: {name: ${name}, namespace: apps}
spec:
`;
const repository = `${head('ImageRepository')}  image: ghcr.io/acme/web\n  interval: 5m\n`;
const policy = `${head('ImagePolicy')}  imageRepositoryRef: {name: web}\n  policy:\n    semver:\n      range: ^1.0.x\n`;
const automation = `${head('ImageUpdateAutomation', 'auto')}  update: {path: ./clusters/prod, strategy: Setters}\n`;
const resolve = (files: Record<string, string>) =>
  resolvePolicies(Object.entries(files).map(([path, text]) => readPolicyPieces(readYaml(text, path), path)));
const codes = (found: ReturnType<typeof resolve>) =>
  found.problems.map(({ code, place, policy: key }) => `${code} ${place?.file}:${place?.line}:${place?.column} ${key}`);

describe("Flux's objects", () => {
  it('make one policy, wherever they stand', () => {
    const found = resolve({ 'a.yaml': policy, 'b/c.yaml': `${automation}---\n${repository}` });
    assert.deepEqual(found.problems, []);
    assert.deepEqual(found.policies, [
      {
        key: 'apps/web',
        namespace: 'apps',
        name: 'web',
        object: {
          apiVersion: 'image.toolkit.fluxcd.io/v1beta2',
          kind: 'ImagePolicy',
          namespace: 'apps',
          name: 'web',
        },
        image: 'ghcr.io/acme/web',
        repository: { host: 'ghcr.io', path: 'acme/web' },
        select: { kind: 'semver', range: '^1.0.x', prereleases: false, coerce: false, grammar: 'flux' },
        include: [],
        exclude: ['^.*\\.sig$'],
        extract: undefined,
        skip: [],
        allowDowngrade: false,
        minimumAgeMs: 0,
        platforms: [],
        ties: 'shortest',
        pin: 'keep',
        paths: { globs: ['clusters/prod'], explicit: true },
        targets: [],
        markersOnly: true,
        suspend: false,
        source: { file: 'a.yaml', line: 1, column: 1 },
      },
    ]);
  });

  it('may be written anywhere where no automation says where', () => {
    const [found] = resolve({ 'a.yaml': policy, 'b.yaml': repository }).policies;
    assert.deepEqual(found?.paths, { globs: [''], explicit: false });
  });

  it('join the paths of several automations, and stand still with those that are suspended', () => {
    const other = automation.replace('clusters/prod', 'clusters/stage').replace('name: auto', 'name: other');
    const suspended = `${other}  suspend: true\n`;
    const globs = (...automations: string[]) => resolve({ 'a.yaml': [policy, repository, ...automations].join('---\n') }).policies[0];
    assert.deepEqual(globs(automation, other)?.paths.globs, ['clusters/prod', 'clusters/stage']);
    assert.deepEqual(globs(automation, suspended)?.paths.globs, ['clusters/prod']);
    assert.equal(globs(automation, suspended)?.suspend, false);
    assert.equal(globs(suspended)?.suspend, true);
    assert.equal(globs(automation.replace('namespace: apps', 'namespace: other'))?.paths.explicit, false, 'another namespace');
  });

  it('write nowhere where the path of their automation cannot be used', () => {
    const bad = automation.replace('./clusters/prod', '../x');
    const [found] = resolve({ 'a.yaml': [policy, repository, bad].join('---\n') }).policies;
    assert.deepEqual([found?.paths, found?.suspend], [{ globs: [], explicit: true }, true]);
  });

  it('take an explicit null for nothing', () => {
    const text = policy.replace(/semver:[\s\S]*/, 'semver: null\n    alphabetical: {order: desc}\n');
    assert.deepEqual(resolve({ 'a.yaml': text, 'b.yaml': repository }).policies[0]?.select, { kind: 'alphabetical', order: 'desc' });
  });

  const suspensions: Record<string, Record<string, string>> = {
    'the repository': { 'a.yaml': policy, 'b.yaml': `${repository}  suspend: true\n` },
    'the policy': { 'a.yaml': `${policy}  suspend: true\n`, 'b.yaml': repository },
  };
  for (const [name, files] of Object.entries(suspensions)) {
    it(`stand still where ${name} is suspended`, () => assert.equal(resolve(files).policies[0]?.suspend, true));
  }

  it('reflect digests', () => {
    const pin = (value: string) => resolve({ 'a.yaml': `${policy}  digestReflectionPolicy: ${value}\n`, 'b.yaml': repository });
    assert.deepEqual([pin('Never').policies[0]?.pin, pin('IfNotPresent').policies[0]?.pin], ['keep', 'digest']);
    assert.deepEqual([pin('Always').policies[0]?.pin, codes(pin('Always'))], ['digest', ['PolicyPartial a.yaml:9:27 apps/web']]);
    assert.deepEqual(codes(pin('Sometimes')), ['PolicyInvalid a.yaml:9:27 apps/web']);
  });

  const refused: Record<string, [Record<string, string>, string]> = {
    'a repository that is not there': [{ 'a.yaml': policy }, 'PolicyInvalid a.yaml:5:30 apps/web'],
    'a repository in another namespace': [{ 'a.yaml': policy, 'b.yaml': repository.replace('apps', 'other') }, 'PolicyInvalid a.yaml:5:30 apps/web'],
    'no kind of policy': [{ 'a.yaml': policy.replace(/policy:[\s\S]*/, 'policy: {}\n'), 'b.yaml': repository }, 'PolicyInvalid a.yaml:6:11 apps/web'],
    'an image with a tag': [{ 'b.yaml': repository.replace('acme/web', 'acme/web:1') }, 'PolicyInvalid b.yaml:5:10 apps/web'],
    'a path out of the repository': [{ 'b.yaml': automation.replace('./clusters/prod', '../x') }, 'PolicyInvalid b.yaml:5:18 apps/auto'],
    'an order that is none': [{ 'a.yaml': policy.replace(/semver:[\s\S]*/, 'numerical: {order: up}\n') }, 'PolicyInvalid a.yaml:7:24 apps/web'],
    'a pattern with look-ahead': [{ 'a.yaml': `${policy}  filterTags: {pattern: "(?=x)"}\n` }, 'PolicyInvalid a.yaml:9:25 apps/web'],
    'another kind of the group': [{ 'a.yaml': head('ImageThing') }, 'PolicyInvalid a.yaml:2:7 apps/web'],
  };
  for (const [name, [files, code]] of Object.entries(refused)) {
    it(`are refused for ${name}, at its place`, () => {
      const found = resolve(files);
      assert.deepEqual(found.policies, []);
      assert.deepEqual(codes(found), [code]);
    });
  }

  it('say what is not carried over, and go on', () => {
    const files = { 'a.yaml': policy, 'b.yaml': `${repository}  secretRef: {name: x}\n`, 'c.yaml': `${automation}  git:\n    push: {branch: bot}\n    commit:\n      messageTemplate: x\n` };
    const found = resolve(files);
    assert.equal(found.policies.length, 1);
    assert.deepEqual(codes(found), ['PolicyPartial b.yaml:7:14 apps/web', 'PolicyPartial c.yaml:7:20 apps/auto', 'PolicyPartial c.yaml:9:24 apps/auto']);
  });

  const hostile = ['spec: [1]', 'spec: {policy: [], imageRepositoryRef: 5, filterTags: {pattern: {a: b}}}', 'spec: null', 'metadata: [x]', 'spec: &a {policy: *a}', 'spec: {image: [x], exclusionList: {a: 1}, update: [1]}'];
  for (const text of hostile) {
    for (const kind of ['ImagePolicy', 'ImageRepository', 'ImageUpdateAutomation']) {
      it(`survive ${text} in ${kind}`, () => {
        const { policies } = readPolicies(`apiVersion: image.toolkit.fluxcd.io/v1\nkind: ${kind}\n${text}\n`, 'h.yaml');
        assert.deepEqual(policies, []);
      });
    }
  }
}); // biome-ignore format: rows
