import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isObjectName } from '../../src/policy/object-name.ts';
import { readPolicies } from '../../src/policy/read-policies.ts';

const web = { apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace: 'shop', name: 'web' };

describe('isObjectName', () => {
  const rows: [string, object, boolean][] = [
    ['a name', {}, true],
    ['the core group', { apiVersion: 'v1' }, true],
    ['a name with dots', { name: 'web.v1' }, true],
    ['the folder above', { namespace: '..' }, false],
    ['a part of a name that is empty', { name: 'web..v1' }, false],
    ['a folder', { name: 'web/status' }, false],
    ['no name', { name: '' }, false],
    ['capitals', { name: 'Web' }, false],
    ['a namespace with a dot', { namespace: 'a.b' }, false],
    ['a namespace that is too long', { namespace: 'a'.repeat(64) }, false],
    ['a line break', { name: 'web\n' }, false],
    ['a version that is none', { apiVersion: 'tallyman.dev/v1?x=1' }, false],
    ['a kind with a space', { kind: 'Image Policy' }, false],
    ['a number', { name: 7 }, false],
    ['a name that is too long', { name: 'a'.repeat(254) }, false],
  ];
  for (const [name, parts, wanted] of rows)
    it(name, () => assert.equal(isObjectName({ ...web, ...parts } as typeof web), wanted));
});

describe('the object that a policy, or a problem of one, is of', () => {
  const fluxPolicy = (spec: string) => `apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: { name: web, namespace: flux-system }
spec: ${spec}
`;
  const repository = (image: string) => `apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: { name: web-images, namespace: flux-system }
spec: { image: ${image} }
`;
  const application = (annotations: string) => `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop
  annotations: { ${annotations} }
spec: { source: { repoURL: "https://git.example/deploy.git", path: apps } }
`;
  const list = 'argocd-image-updater.argoproj.io/image-list';
  const semver = '{ imageRepositoryRef: { name: web-images }, policy: { semver: { range: "*" } } }';
  const rows: [string, string, string][] = [
    [
      'our own',
      'apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: { name: web, namespace: shop }\nspec: { image: a.example/web, select: { semver: "*" } }\n',
      'tallyman.dev/v1alpha1 ImagePolicy shop/web',
    ],
    [
      'our own that is wrong',
      'apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: { name: web }\nspec: {}\n',
      'tallyman.dev/v1alpha1 ImagePolicy default/web',
    ],
    [
      "Flux's",
      `${repository('a.example/web')}---\n${fluxPolicy(semver)}`,
      'image.toolkit.fluxcd.io/v1beta2 ImagePolicy flux-system/web',
    ],
    ["Flux's without a repository", fluxPolicy(semver), 'image.toolkit.fluxcd.io/v1beta2 ImagePolicy flux-system/web'],
    ["Flux's that is wrong", fluxPolicy('{}'), 'image.toolkit.fluxcd.io/v1beta2 ImagePolicy flux-system/web'],
    [
      "Flux's repository that is wrong",
      repository('"///"'),
      'image.toolkit.fluxcd.io/v1beta2 ImageRepository flux-system/web-images',
    ],
    ["Argo CD's", application(`${list}: "web=a.example/web:1.x"`), 'argoproj.io/v1alpha1 Application argocd/shop'],
    [
      "Argo CD's that is wrong",
      application(`${list}: "web=a.example/web:not a range"`),
      'argoproj.io/v1alpha1 Application argocd/shop',
    ],
    [
      'a name that no Application may have',
      application(`${list}: "web=a.example/web:1.x"`).replace('shop', 'shop..eu'),
      'none',
    ],
    ['a wrong name', 'apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: { name: ../web }\n', 'none'],
  ];
  for (const [name, text, wanted] of rows)
    it(name, () => {
      const { policies, problems } = readPolicies(text, 'policy.yaml');
      const objects = policies.length > 0 ? policies.map(({ object }) => object) : problems.map(({ object }) => object);
      const told = objects.map((object) =>
        object ? `${object.apiVersion} ${object.kind} ${object.namespace}/${object.name}` : 'none',
      );
      assert.deepEqual([...new Set(told)], [wanted], JSON.stringify(problems));
    });
});
