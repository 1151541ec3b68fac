import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPolicies } from '../../src/policy/read-policies.ts';
import { application, resolve, updater } from './argocd-objects.ts';

const prefix = 'argocd-image-updater.argoproj.io/';
const image = (alias: string, imageName: string, more: object = {}) => ({ alias, imageName, ...more });

describe('ImageUpdater objects', () => {
  it('make policies for Applications in other files', () => {
    const spec = {
      commonUpdateSettings: { updateStrategy: 'name', ignoreTags: ['x*'], platforms: ['linux/arm64'] },
      applicationRefs: [
        {
          namePattern: 'web-*',
          commonUpdateSettings: { allowTags: 'regexp:^1' },
          images: [
            image('main', 'ghcr.io/acme/web:>=1.2, <2', {
              commonUpdateSettings: { updateStrategy: 'semver', ignoreTags: [] },
            }),
            image('side', 'acme/side'),
          ],
        },
      ],
    };
    const { policies, problems } = resolve({
      'cd/images.yaml': updater(spec),
      'apps/a.yaml': application('web-eu'),
      'apps/b.yaml': application('web-us'),
      'apps/c.yaml': application('other'),
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies.map(({ key, image: name, select, include, exclude, platforms, paths, source }) => ({
        key,
        name,
        select: select.kind === 'semver' ? select.range : select.kind,
        filters: [include, exclude, platforms],
        globs: paths.globs,
        file: source.file,
      })),
      ['eu', 'us'].flatMap((region) => [
        {
          key: `argocd/web-${region}-main`,
          name: 'ghcr.io/acme/web',
          select: '>=1.2, <2',
          filters: [['^1'], [], ['linux/arm64']],
          globs: [`apps/${region === 'eu' ? 'a' : 'b'}.yaml`, `deploy/web-${region}`],
          file: 'cd/images.yaml',
        },
        {
          key: `argocd/web-${region}-side`,
          name: 'acme/side',
          select: 'alphabetical',
          filters: [['^1'], ['^(?s:x[^/]*)$'], ['linux/arm64']],
          globs: [`apps/${region === 'eu' ? 'a' : 'b'}.yaml`, `deploy/web-${region}`],
          file: 'cd/images.yaml',
        },
      ]),
    );
  });

  it('take the most specific entry alone, wherever it stands', () => {
    const ref = (namePattern: string, alias: string, labelSelectors?: object) => ({
      namePattern,
      images: [image(alias, 'acme/web')],
      ...(labelSelectors && { labelSelectors }),
    });
    const { keys, problems } = resolve({
      'cd.yaml': updater({
        applicationRefs: [
          ref('*', 'any'),
          ref('w*', 'labelled', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }] }),
          ref('web-*', 'glob'),
          ref('web-1', 'exact'),
        ],
      }),
      'apps.yaml': [
        application('web-1', { metadata: { labels: { tier: 'front' } } }),
        application('web-2', { metadata: { labels: { tier: 'front' } } }),
        application('web-3', { metadata: { labels: { tier: 'back' } } }),
        application('db'),
      ].join('\n---\n'),
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(keys, ['argocd/web-1-exact', 'argocd/web-2-labelled', 'argocd/web-3-glob', 'argocd/db-any']);
  });

  const selectors: Record<string, { labels: object; matches: boolean }> = {
    'matchLabels that fit': { labels: { matchLabels: { a: '1', b: '2' } }, matches: true },
    'matchLabels that do not': { labels: { matchLabels: { a: '1', b: '3' } }, matches: false },
    'a label of every object': {
      labels: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] },
      matches: false,
    },
    NotIn: { labels: { matchExpressions: [{ key: 'c', operator: 'NotIn', values: ['1'] }] }, matches: true },
    DoesNotExist: { labels: { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, matches: false },
    nothing: { labels: {}, matches: true },
  };
  for (const [name, { labels, matches }] of Object.entries(selectors)) {
    it(`select by labels: ${name}`, () => {
      const ref = { namePattern: 'web', labelSelectors: labels, images: [image('w', 'acme/web')] };
      const { keys, problems } = resolve({
        'cd.yaml': updater({ applicationRefs: [ref] }),
        'a.yaml': application('web', { metadata: { labels: { a: '1', b: '2' } } }),
      });
      assert.deepEqual(keys, matches ? ['argocd/web-w'] : []);
      assert.deepEqual(
        problems.map(({ code }) => code),
        matches ? [] : ['PolicyPartial'],
      );
    });
  }

  it('look in one namespace: spec.namespace, else their own, else any', () => {
    const find = (spec: object, metadata: object) =>
      resolve({
        'cd.yaml': updater(
          { ...spec, applicationRefs: [{ namePattern: '*', images: [image('w', 'acme/web')] }] },
          metadata,
        ),
        'a.yaml': application('one', { metadata: { namespace: 'a' } }),
        'b.yaml': application('two', { metadata: { namespace: 'b' } }),
        'c.yaml': application('three', { metadata: { namespace: undefined } }),
      }).keys;
    assert.deepEqual(find({ namespace: 'a' }, { name: 'x', namespace: 'b' }), ['a/one-w', 'a/three-w']);
    assert.deepEqual(find({}, { name: 'x', namespace: 'b' }), ['b/two-w', 'b/three-w']);
    assert.deepEqual(find({}, { name: 'x' }), ['a/one-w', 'b/two-w', 'argocd/three-w']);
  });

  it('leave the images to annotations, or overrule them', () => {
    const annotated = application('web', { metadata: { annotations: { [`${prefix}image-list`]: 'acme/web:1.x' } } });
    const files = { 'a.yaml': annotated, 'b.yaml': application('bare') };
    const left = resolve({
      ...files,
      'cd.yaml': updater({ applicationRefs: [{ namePattern: '*', useAnnotations: true }] }),
    });
    assert.deepEqual(left.keys, ['argocd/web-web']);
    assert.match(left.problems[0]?.message ?? '', /application "bare" has no annotation "image-list"/);
    const overruled = resolve({
      ...files,
      'cd.yaml': updater({ applicationRefs: [{ namePattern: 'web', images: [image('own', 'acme/web:2.x')] }] }),
    });
    assert.deepEqual(overruled.keys, ['argocd/web-own']);
    assert.deepEqual(
      overruled.problems.map(({ code, place }) => [code, place?.file]),
      [['PolicyPartial', 'a.yaml']],
    );
  });

  it('name values of a file to write', () => {
    const manifestTargets = { helm: { name: 'image.name', tag: 'image.tag' } };
    const gitConfig = { writeBackTarget: 'helmvalues:values.prod.yaml' };
    const { policies, problems } = resolve({
      'cd.yaml': updater({
        writeBackConfig: { method: 'git', gitConfig },
        applicationRefs: [{ namePattern: 'web', images: [image('w', 'acme/web', { manifestTargets })] }],
      }),
      'a.yaml': application('web'),
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies[0]?.targets.map(({ file, path, part }) => [file, path, part]),
      [
        ['deploy/web/values.prod.yaml', 'image.name', 'name'],
        ['deploy/web/values.prod.yaml', 'image.tag', 'tag'],
      ],
    );
  });

  it('say what is not carried over, at line and column', () => {
    const lines = [
      `apiVersion: ${prefix}v1alpha1`,
      'kind: ImageUpdater',
      'metadata: { name: images }',
      'spec:',
      '  commonUpdateSettings:',
      '    pullSecret: pullsecret:argocd/x',
      '  writeBackConfig:',
      '    method: argocd',
      '    gitConfig: { branch: main }',
      '  applicationRefs:',
      '    - namePattern: gone-*',
      '      images:',
      '        - alias: a',
      '          imageName: acme/web:^1',
      '          commonUpdateSettings: { forceUpdate: true }',
      '        - alias: b',
      '          imageName: acme/web:^^1',
      '    - namePattern: "[a"',
      '      images: [{ alias: a, imageName: web }]',
      '    - namePattern: empty',
      '    - namePattern: typed',
      '      images: [{ alias: a, imageName: 7 }]',
    ];
    const { policies, problems } = readPolicies(lines.join('\n'), 'cd.yaml');
    assert.deepEqual(policies, []);
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.line, place?.column]),
      [
        ['PolicyPartial', 6, 17],
        ['PolicyPartial', 8, 13],
        ['PolicyPartial', 9, 26],
        ['PolicyPartial', 15, 48],
        ['PolicyInvalid', 17, 22],
        ['PolicyInvalid', 18, 20],
        ['PolicyInvalid', 20, 7],
        ['PolicyInvalid', 22, 39],
        ['PolicyPartial', 11, 7],
        ['PolicyPartial', 21, 7],
      ],
    );
  });
});
