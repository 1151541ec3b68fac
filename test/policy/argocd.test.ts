import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Policy } from '../../src/policy/policy.ts';
import { mayHoldPolicies } from '../../src/policy/read-policies.ts';
import { application, brief, only, read } from './annotated-application.ts';

describe('annotated Applications', () => {
  it('make the policy that the peer would follow', () => {
    const text = application([
      'image-list: web=ghcr.io/acme/web:~1.4',
      'web.allow-tags: regexp:^v?[0-9.]+$',
      'web.ignore-tags: "*-rc?, 1.4.[2-3]"',
      'web.platforms: linux/amd64',
      'write-back-method: git',
    ]);
    assert.deepEqual(only(text), {
      key: 'team-a/shop-web',
      namespace: 'team-a',
      name: 'shop-web',
      object: { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', namespace: 'team-a', name: 'shop' },
      image: 'ghcr.io/acme/web',
      repository: { host: 'ghcr.io', path: 'acme/web' },
      select: { kind: 'semver', range: '~1.4', prereleases: false, coerce: false, grammar: 'argocd' },
      include: ['^v?[0-9.]+$'],
      exclude: ['^(?s:[^/]*-rc[^/])$', '^(?s:1\\.4\\.[2-3])$'],
      extract: undefined,
      skip: [],
      allowDowngrade: false,
      minimumAgeMs: 0,
      platforms: ['linux/amd64'],
      ties: 'last',
      pin: 'keep',
      paths: { globs: ['apps/shop.yaml', 'deploy/web'], explicit: true },
      targets: [],
      markersOnly: false,
      suspend: false,
      source: { file: 'apps/shop.yaml', line: 7, column: 50 },
    });
  });

  it('may stand in any file that a needle finds', () => {
    const text = application(['image-list: web']);
    assert.ok(mayHoldPolicies(text));
    for (const kind of ['"Application"', "'Application'", '  Application', 'ApplicationSet'])
      assert.ok(mayHoldPolicies(`{kind:${kind}}`));
    assert.ok(!mayHoldPolicies('kind: Rollout\napiVersion: argoproj.io/v1alpha1\n'));
  });

  const kinds: Record<string, { list: string; strategy?: string; select: Policy['select']; pin: Policy['pin'] }> = {
    'without a constraint': { list: 'w=acme/web', select: semver(undefined), pin: 'keep' },
    latest: { list: 'w=acme/web:1.0', strategy: 'latest', select: { kind: 'newest' }, pin: 'keep' },
    'newest-build': { list: 'w=acme/web', strategy: 'newest-build', select: { kind: 'newest' }, pin: 'keep' },
    name: { list: 'w=acme/web', strategy: 'name', select: { kind: 'alphabetical', order: 'asc' }, pin: 'keep' },
    'upper case': { list: 'w=acme/web', strategy: 'SemVer', select: semver(undefined), pin: 'keep' },
    digest: { list: 'w=acme/web:main', strategy: 'digest', select: { kind: 'digest', tag: 'main' }, pin: 'digest' },
    'an operator with "="': { list: '"acme/web:>=1.2 <2"', select: semver('>=1.2 <2'), pin: 'keep' },
  };
  for (const [name, { list, strategy, select, pin }] of Object.entries(kinds)) {
    it(`choose as the peer does: ${name}`, () => {
      const policy = only(application([`image-list: ${list}`, ...(strategy ? [`update-strategy: ${strategy}`] : [])]));
      assert.deepEqual([policy.select, policy.pin], [select, pin]);
    });
  }

  it('take settings of the application where the image has none', () => {
    const { policies, problems } = read(
      application([
        'image-list: a=acme/a, b=acme/b, acme/c',
        'update-strategy: name',
        'allow-tags: regexp:^x',
        'ignore-tags: y*',
        'b.update-strategy: newest-build',
        'b.allow-tags: any',
        'b.ignore-tags: z',
      ]),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies.map(({ key, select, include, exclude }) => [key, select.kind, include, exclude]),
      [
        ['team-a/shop-a', 'alphabetical', ['^x'], ['^(?s:y[^/]*)$']],
        ['team-a/shop-b', 'newest', [], ['^(?s:z)$']],
        ['team-a/shop-c', 'alphabetical', ['^x'], ['^(?s:y[^/]*)$']],
      ],
    );
  });

  it('have names of their own, whatever their images are called', () => {
    const { policies, problems } = read(
      application([
        'image-list: "nginx:1.x, bitnami/nginx:1.x, Acme/Web=acme/web, acme_x/y.z"',
        'Acme_Web.update-strategy: name',
      ]),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies.map(({ key, select }) => [key, select.kind]),
      [
        ['team-a/shop-nginx', 'semver'],
        ['team-a/shop-bitnami-nginx', 'semver'],
        ['team-a/shop-acme-web', 'alphabetical'],
        ['team-a/shop-y.z', 'semver'],
      ],
    );
  });

  it('use the namespace "argocd" where they name none', () => {
    assert.equal(only(application(['image-list: web']).replace('  namespace: team-a\n', '')).key, 'argocd/shop-web');
  });

  it('are left alone where they have nothing to do with images', () => {
    const text = application([]).replace('  annotations:\n', '').replace('shop', '"{{ name }}"');
    assert.deepEqual(read(text), { policies: [], problems: [] });
  });
});

function semver(range: string | undefined): Policy['select'] {
  return { kind: 'semver', range, prereleases: false, coerce: false, grammar: 'argocd' };
}

describe('places of annotated Applications', () => {
  const helm = ['web.helm.image-name: image.repository', 'web.helm.image-tag: image.tag'];
  const rows: Record<string, { annotations?: string[]; spec?: string[]; globs: string[]; targets?: unknown[] }> = {
    'sources in several places': {
      spec: [
        'sources:',
        '  - { chart: web, helm: { valueFiles: [$env/prod/values.yaml, $other/x.yaml, values.yaml] } }',
        '  - { ref: env, repoURL: x }',
        '  - { path: ./b, helm: { valueFiles: [../c/values.yaml, "https://example.com/v.yaml"] } }',
      ],
      globs: ['apps/shop.yaml', 'b', 'prod/values.yaml', 'c/values.yaml'],
    },
    'a chart alone': { spec: ['source: { chart: web }'], globs: ['apps/shop.yaml'] },
    'the root, of the only application': { spec: ['source: { path: . }'], globs: ['apps/shop.yaml', ''] },
    'a kustomization': { annotations: ['write-back-target: kustomization'], globs: ['deploy/web'] },
    'a kustomization beside': { annotations: ['write-back-target: kustomization:../base'], globs: ['deploy/base'] },
    'a kustomization from the root': { annotations: ['write-back-target: kustomization:/base'], globs: ['base'] },
    'values, found by structure': { annotations: ['write-back-target: helmvalues'], globs: ['deploy/web/values.yaml'] },
    'values, named': {
      annotations: ['write-back-target: helmvalues:../env/prod.yaml', ...helm],
      globs: ['deploy/env/prod.yaml'],
      targets: [
        ['deploy/env/prod.yaml', 'image.repository', 'name'],
        ['deploy/env/prod.yaml', 'image.tag', 'tag'],
      ],
    },
    'values, named as one, with a dot in a key': {
      annotations: ['write-back-target: helmvalues:/v.yaml', 'web.helm.image-spec: a\\.b.images[0]', ...helm],
      globs: ['v.yaml'],
      targets: [['v.yaml', '["a.b"].images[0]', 'reference']],
    },
    'parameters of the document, named': {
      annotations: [...helm],
      spec: [
        'source:',
        '  path: deploy/web',
        '  helm: { parameters: [{ name: x, value: y }, { name: image.tag, value: "1" }, { name: image.repository }] }',
      ],
      globs: ['apps/shop.yaml', 'deploy/web'],
      targets: [['apps/shop.yaml', 'spec.source.helm.parameters[1].value', 'tag']],
    },
    'parameters, found by structure': { annotations: helm, globs: ['apps/shop.yaml', 'deploy/web'] },
  };
  for (const [name, { annotations = [], spec, globs, targets = [] }] of Object.entries(rows)) {
    it(name, () => {
      const policy = only(application(['image-list: web=acme/web', ...annotations], spec));
      assert.deepEqual(policy.paths, { globs, explicit: true });
      assert.deepEqual(
        policy.targets.map(({ file, path, part }) => [file, path, part]),
        targets,
      );
    });
  }

  it('leave out what leads out of the repository, and say so', () => {
    const { policies, problems } = read(application(['image-list: acme/web'], ['source:', '  path: ../../etc']));
    assert.deepEqual(policies[0]?.paths.globs, ['apps/shop.yaml']);
    assert.deepEqual(problems.map(brief), [
      {
        code: 'PolicyPartial',
        message:
          'Cannot carry over "spec.source.path": "../../etc" is no path inside the repository, nothing is written there',
        at: [10, 11],
        policy: undefined,
      },
    ]);
  });

  it('are not the root where other applications stand in it', () => {
    const two = [
      application(['image-list: acme/web'], ['source: { path: . }']),
      application([]).replace('shop', 'other'),
    ];
    const { policies, problems } = read(two.join('\n---\n'));
    assert.deepEqual(policies[0]?.paths.globs, ['apps/shop.yaml']);
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.line, place?.column]),
      [['PolicyPartial', 9, 19]],
    );
  });
});
