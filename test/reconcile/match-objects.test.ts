import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createApplierFinder,
  listReported,
  matchObjects,
  type WatchedBranch,
} from '../../src/reconcile/match-objects.ts';
import { readApplication } from '../../src/reconcile/read-application.ts';
import { readGitRepository, readHelmRelease, readKustomization } from '../../src/reconcile/read-flux.ts';
import { formatName, type ReconcilerObject } from '../../src/reconcile/reconciler-object.ts';
import {
  application,
  appSource,
  chartSpec,
  commitOf,
  gitRepository,
  helmRelease,
  kustomization,
} from './reconciler-scene.ts';

const url = 'https://git.example/acme/deploy.git';
const watched: WatchedBranch = { url, branch: 'main', isDefault: true, named: [] };

function readAll(objects: readonly { kind: string; metadata: { namespace: string; name: string } }[]) {
  const readers: Record<string, (object: unknown, place: { namespace: string; name: string }) => ReconcilerObject> = {
    GitRepository: readGitRepository,
    Kustomization: readKustomization,
    HelmRelease: readHelmRelease,
    Application: readApplication,
  };
  return objects.map((object) => readers[object.kind]?.(object, object.metadata) as ReconcilerObject);
}

const match = (objects: Parameters<typeof readAll>[0], parts: Partial<WatchedBranch> = {}) => {
  const { sources, appliers } = matchObjects(readAll(objects), { ...watched, ...parts });
  return {
    sources: sources.map(formatName),
    appliers: appliers.map(({ object, excuse }) => formatName(object) + (excuse === undefined ? '' : ` (${excuse})`)),
  };
};

describe('matchObjects, a GitRepository', () => {
  const rows: [string, object, Partial<WatchedBranch>, boolean][] = [
    ['the same address and branch', { url, ref: { branch: 'main' } }, {}, true],
    ['the address over SSH', { url: 'ssh://git@git.example/acme/deploy', ref: { branch: 'main' } }, {}, true],
    ['ours over SSH', { url, ref: { branch: 'main' } }, { url: 'git@git.example:Acme/deploy.git' }, true],
    ['another repository', { url: 'https://git.example/acme/other', ref: { branch: 'main' } }, {}, false],
    ['another branch', { url, ref: { branch: 'staging' } }, {}, false],
    ['a part of a name', { url, ref: { branch: 'mai' } }, {}, false],
    ['no ref is master', { url }, { branch: 'master' }, true],
    ['no ref is not main', { url }, {}, false],
    ['an empty branch is master', { url, ref: { branch: '' } }, { branch: 'master' }, true],
    ['a tag', { url, ref: { tag: 'v1', branch: 'main' } }, {}, false],
    ['a range', { url, ref: { semver: '>=1', branch: 'main' } }, {}, false],
    ['a commit of the branch', { url, ref: { branch: 'main', commit: commitOf('a') } }, {}, false],
    ['the branch by its whole name', { url, ref: { name: 'refs/heads/main' } }, {}, true],
    ['a name before a branch', { url, ref: { name: 'refs/tags/v1', branch: 'main' } }, {}, false],
    ['a pull request', { url, ref: { name: 'refs/pull/7/head' } }, {}, false],
    ['a folder of ours', { url: '/srv/deploy.git', ref: { branch: 'main' } }, { url: undefined }, false],
    ['no address', { ref: { branch: 'main' } }, {}, false],
    ['an address that is a list', { url: [url], ref: { branch: 'main' } }, {}, false],
    ['a branch that is a map', { url, ref: { branch: { main: true } } }, {}, false],
    ['a ref that is a text', { url, ref: 'main' }, {}, false],
    ['an endless address', { url: `${url}?${'x'.repeat(1e6)}`, ref: { branch: 'main' } }, {}, false],
  ];
  for (const [name, spec, parts, wanted] of rows)
    it(name, () =>
      assert.deepEqual(match([gitRepository(spec)], parts).sources, wanted ? ['GitRepository flux-system/deploy'] : []),
    );

  it('one that is named, whatever its address is', () => {
    const named = [{ kind: 'GitRepository', namespace: 'flux-system', name: 'deploy' } as const];
    const objects = [gitRepository({ url: 'https://mirror.example/x', ref: { tag: 'v1' } }), kustomization({})];
    assert.deepEqual(match(objects, { url: undefined, named }), {
      sources: ['GitRepository flux-system/deploy'],
      appliers: ['Kustomization flux-system/apps'],
    });
  });
});

describe("matchObjects, what takes its files from Flux's source", () => {
  const forVersions =
    'its chart is built anew for a new version of the chart, and for each commit only with reconcileStrategy Revision';
  const source = gitRepository({ url, ref: { branch: 'main' } });
  const rows: [string, ReturnType<typeof kustomization | typeof helmRelease>, readonly string[]][] = [
    ['of its own namespace', kustomization({}), ['Kustomization flux-system/apps']],
    [
      'by namespace',
      kustomization({ sourceRef: { kind: 'GitRepository', namespace: 'flux-system', name: 'deploy' } }),
      ['Kustomization flux-system/apps'],
    ],
    [
      'of another namespace',
      kustomization({ sourceRef: { kind: 'GitRepository', namespace: 'shop', name: 'deploy' } }),
      [],
    ],
    ['a bucket', kustomization({ sourceRef: { kind: 'Bucket', name: 'deploy' } }), []],
    ['another source', kustomization({ sourceRef: { kind: 'GitRepository', name: 'other' } }), []],
    ['no source', kustomization({ sourceRef: null }), []],
    ['a source that is a number', kustomization({ sourceRef: 7 }), []],
    ['suspended', kustomization({ suspend: true }), ['Kustomization flux-system/apps (it is suspended)']],
    ['a chart that is built for each commit', helmRelease({}), ['HelmRelease shop/web']],
    [
      'one that was built for its version before',
      helmRelease({}, { lastAttemptedRevision: '1.0.0' }),
      ['HelmRelease shop/web'],
    ],
    ...[{}, { reconcileStrategy: 'ChartVersion' }, { reconcileStrategy: 7 }].map(
      (parts): [string, ReturnType<typeof helmRelease>, readonly string[]] => [
        `a chart that is built for a new version of it, by ${JSON.stringify(parts)}`,
        helmRelease({ chart: chartSpec(parts) }, { lastAttemptedRevision: `1.0.0+${'a'.repeat(12)}` }),
        [`HelmRelease shop/web (${forVersions})`],
      ],
    ),
    [
      'a chart of a registry',
      helmRelease({ chart: { spec: { chart: 'web', sourceRef: { kind: 'HelmRepository', name: 'deploy' } } } }),
      [],
    ],
    ['a chart by chartRef', helmRelease({ chart: undefined, chartRef: { kind: 'OCIRepository', name: 'web' } }), []],
  ];
  for (const [name, object, wanted] of rows) it(name, () => assert.deepEqual(match([source, object]).appliers, wanted));

  it('of a source that is suspended', () => {
    const { appliers } = match([gitRepository({ url, ref: { branch: 'main' }, suspend: true }), kustomization({})]);
    assert.deepEqual(appliers, [
      'Kustomization flux-system/apps (its source GitRepository flux-system/deploy is suspended)',
    ]);
  });

  it('one that is named, whose chart is of an OCIRepository: its version has a digest', () => {
    const named = [{ kind: 'HelmRelease', namespace: 'shop', name: 'web' } as const];
    const chartRef = { kind: 'OCIRepository', name: 'web' };
    const release = helmRelease({ chart: undefined, chartRef }, { lastAttemptedRevision: `1.0.0+${'a'.repeat(12)}` });
    assert.deepEqual(match([release], { named }).appliers, [`HelmRelease shop/web (${forVersions})`]);
  });

  it('one that is named, without its source', () => {
    const named = [{ kind: 'Kustomization', namespace: 'flux-system', name: 'apps' } as const];
    assert.deepEqual(match([kustomization({})], { named }).appliers, ['Kustomization flux-system/apps']);
  });
});

describe('matchObjects, an Application', () => {
  const shop = 'Application argocd/shop';
  const manual = `${shop} (it is not synced automatically)`;
  const doubtful = `${shop} (it follows HEAD, which may be another branch)`;
  const rows: [string, object, Partial<WatchedBranch>, readonly string[]][] = [
    ['the branch', { source: appSource() }, {}, [shop]],
    ['the branch by its whole name', { source: appSource({ targetRevision: 'refs/heads/main' }) }, {}, [shop]],
    ['HEAD, ours is the default', { source: appSource({ targetRevision: 'HEAD' }) }, {}, [shop]],
    ['nothing, ours is the default', { source: appSource({ targetRevision: undefined }) }, {}, [shop]],
    ['empty, ours is not the default', { source: appSource({ targetRevision: '' }) }, { isDefault: false }, []],
    ['HEAD, nobody knows', { source: appSource({ targetRevision: 'HEAD' }) }, { isDefault: undefined }, [doubtful]],
    ['another branch', { source: appSource({ targetRevision: 'staging' }) }, {}, []],
    ['a commit', { source: appSource({ targetRevision: commitOf('a') }) }, {}, []],
    ['a tag', { source: appSource({ targetRevision: 'refs/tags/main' }) }, {}, []],
    ['another repository', { source: appSource({ repoURL: 'https://git.example/x' }) }, {}, []],
    ['a chart at that address', { source: appSource({ chart: 'web' }) }, {}, []],
    [
      'one of several sources',
      {
        sources: [
          { repoURL: 'https://charts.example', chart: 'web', targetRevision: '1.0.0' },
          appSource({ ref: 'values' }),
        ],
      },
      {},
      [shop],
    ],
    [
      'several sources count before one',
      { source: appSource(), sources: [{ repoURL: 'https://x.example/y' }] },
      {},
      [],
    ],
    ['by hand', { source: appSource(), syncPolicy: {} }, {}, [manual]],
    [
      'by hand, though with an entry',
      { source: appSource(), syncPolicy: { automated: { enabled: false } } },
      {},
      [manual],
    ],
    ['automated by a null', { source: appSource(), syncPolicy: { automated: null } }, {}, [manual]],
    ['no source', {}, {}, []],
    ['sources that are none', { sources: [null, 7, 'x', []] }, {}, []],
    ['a source of numbers', { source: { repoURL: 7, targetRevision: {} } }, {}, []],
  ];
  for (const [name, spec, parts, wanted] of rows)
    it(name, () => assert.deepEqual(match([application(spec)], parts).appliers, wanted));

  it('one that is named, whatever its address is', () => {
    const named = [{ kind: 'Application', namespace: 'argocd', name: 'shop' } as const];
    const object = application({ source: appSource({ repoURL: 'https://mirror.example/x', targetRevision: 'HEAD' }) });
    assert.deepEqual(match([object], { url: undefined, named }).appliers, [shop]);
  });
});

describe('createApplierFinder', () => {
  const source = gitRepository({ url, ref: { branch: 'main' } });
  const all = [
    source,
    kustomization({ path: './apps/web' }, {}, 'web'),
    kustomization({ path: 'apps/api/' }, {}, 'api'),
    kustomization({ path: '../outside' }, {}, 'outside'),
    helmRelease({}, { lastAttemptedRevision: `1.0.0+${'a'.repeat(12)}` }),
    application(
      { source: appSource({ path: 'apps/shop' }) },
      {},
      { annotations: { 'argocd.argoproj.io/manifest-generate-paths': '.;../base;/shared' } },
    ),
  ];
  const { appliers } = matchObjects(readAll(all), watched);
  const find = createApplierFinder(appliers);
  const everyone = appliers.map(({ object }) => object.name);
  const rows: [string, readonly string[], readonly string[]][] = [
    ['a file in the folder', ['apps/web/deploy.yaml'], ['web']],
    ['files of two', ['apps/web/deploy.yaml', 'apps/api/x/y.yaml'], ['web', 'api']],
    ['a folder with a longer name', ['apps/web-old/deploy.yaml'], everyone],
    ['the chart', ['charts/web/values.yaml'], ['web']],
    ['a folder that Argo CD is told of', ['apps/base/x.yaml'], ['shop']],
    ['such a folder from the root', ['shared/x.yaml'], ['shop']],
    ['a base of nobody', ['base/web.yaml'], everyone],
    ['no file', [], everyone],
  ];
  for (const [name, files, wanted] of rows)
    it(name, () =>
      assert.deepEqual(
        find(files).map(({ object }) => object.name),
        wanted,
      ),
    );

  it('gives the same list for the same folders, so that nobody judges it twice', () => {
    const found = find(['apps/web/deploy.yaml']);
    assert.equal(find(['apps/web/other.yaml']), found);
    assert.equal(find(['base/web.yaml']), find(['base/api.yaml']));
    assert.notEqual(find(['apps/api/deploy.yaml']), found);
  });

  it('the root is everywhere', () => {
    const root = matchObjects(readAll([source, kustomization({ path: './' })]), watched).appliers;
    assert.equal(createApplierFinder(root)(['anything.yaml']).length, 1);
  });
});

describe('listReported', () => {
  it('tells each commit once', () => {
    const status = { artifact: { revision: `main@sha1:${commitOf('a')}` } };
    const matched = matchObjects(
      readAll([
        gitRepository({ url, ref: { branch: 'main' } }, status),
        kustomization(
          {},
          { lastAppliedRevision: `main/${commitOf('b')}`, lastAttemptedRevision: `main@sha1:${commitOf('a')}` },
        ),
        application({ source: appSource() }, { sync: { revision: commitOf('c') } }),
      ]),
      watched,
    );
    assert.deepEqual(listReported(matched), ['a', 'b', 'c'].map(commitOf));
  });
});
