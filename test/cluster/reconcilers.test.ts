import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
import { createReconcilers, type ReconcilerOptions, type WatchedReconcilers } from '../../src/cluster/reconcilers.ts';
import type { Problem } from '../../src/error/problem.ts';
import type { ApplyOutcome } from '../../src/pipeline/apply-outcome.ts';
import { createAppliedWatch } from '../../src/pipeline/await-applied.ts';
import type { WholeReport } from '../../src/pipeline/commit-and-propose.ts';
import { noMetrics } from '../../src/pipeline/metrics-ports.ts';
import type { CommitInfo, RepoHistory, YamlRepo } from '../../src/pipeline/ports.ts';
import { formatName, type ReconcilerName } from '../../src/reconcile/reconciler-object.ts';
import {
  application,
  appSource,
  commitOf,
  gitRepository,
  helmRelease,
  kustomization,
} from '../reconcile/reconciler-scene.ts';
import { deployedRules, grantRights } from '../services/cluster-rights.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';
import { reconcilerCrds } from './reconciler-crds.ts';

const url = 'https://git.example/acme/deploy.git';
const [a, b] = [commitOf('a'), commitOf('b')];
const at = (commit: string) => `main@sha1:${commit}`;
const rules = deployedRules(['gitrepositories', 'kustomizations', 'helmreleases', 'applications']);
const source: ReconcilerName = { kind: 'GitRepository', namespace: 'flux-system', name: 'deploy' };
const apps: ReconcilerName = { kind: 'Kustomization', namespace: 'flux-system', name: 'apps' };
const shop: ReconcilerName = { kind: 'Application', namespace: 'argocd', name: 'shop' };
const web: ReconcilerName = { kind: 'HelmRelease', namespace: 'shop', name: 'web' };
const clock = {
  nowMs: Date.now,
  wallMs: Date.now,
  random: () => 0.5,
  sleep: (ms: number, { signal }: { signal: AbortSignal }) =>
    wait(Math.min(ms, 200), undefined, { signal }).catch(() => undefined),
};

let kubernetes: TestKubernetes;
/** By account: a token costs more than most of these tests. */
const apis = new Map<string, KubernetesApi>();
const ends: (() => Promise<void>)[] = [];

async function connect(account: string): Promise<KubernetesApi> {
  const known = apis.get(account);
  if (known !== undefined) return known;
  const kubeconfig = await kubernetes.createKubeconfig({ namespace: 'default', name: account });
  const api = connectCluster({ kubeconfig });
  apis.set(account, api);
  return api;
}

/** Watches until the test is over. */
function start(api: KubernetesApi, options: Partial<ReconcilerOptions> = {}) {
  const told: string[] = [];
  const createTeller = () => (problem: Problem | undefined) =>
    void (problem && told.push(`${problem.code} ${problem.message}`));
  const settings = { clock, products: ['flux', 'argocd'] as const, namespaces: undefined, createTeller };
  const reconcilers = createReconcilers(api, { ...settings, ...options });
  const stop = new AbortController();
  const running = reconcilers.run({ signal: stop.signal });
  ends.push(async () => {
    stop.abort(new Error('done'));
    await running;
  });
  return { reconcilers, told, signal: stop.signal };
}

const names = ({ list }: Pick<WatchedReconcilers, 'list'>) => [...list()].map(formatName).sort();
const find = ({ list }: Pick<WatchedReconcilers, 'list'>, name: ReconcilerName) =>
  [...list()].find((object) => formatName(object) === formatName(name));

async function read(name: ReconcilerName) {
  const kind = name.kind.toLowerCase();
  return JSON.parse(
    await kubernetes.kubectl(['get', kind, name.name, '-n', name.namespace, '-o', 'json', '--show-managed-fields']),
  );
}

/** What a reconciler writes. Argo CD's Applications have no subresource for it. */
async function setStatus(name: ReconcilerName, status: object): Promise<void> {
  const kind = name.kind.toLowerCase();
  const part = name.kind === 'Application' ? [] : ['--subresource=status'];
  const patch = JSON.stringify({ status });
  await kubernetes.kubectl(['patch', kind, name.name, '-n', name.namespace, ...part, '--type=merge', '-p', patch]);
}

async function applyScene(): Promise<void> {
  await kubernetes.apply([
    gitRepository({ url, ref: { branch: 'main' }, interval: '1h' }),
    kustomization({ interval: '1h', prune: true }),
    helmRelease({ interval: '1h' }),
    application({ source: appSource({ path: 'apps' }), project: 'default' }),
  ]);
  await setStatus(source, { artifact: { revision: at(a) } });
  await setStatus(apps, { lastAppliedRevision: at(a), lastAttemptedRevision: at(a), conditions: [] });
  await setStatus(shop, { sync: { status: 'Synced', revision: a } });
}

before(async () => {
  kubernetes = await startKubernetes();
  for (const name of ['flux-system', 'argocd', 'shop']) await kubernetes.createNamespace(name);
  const account = (name: string) => ({ name, namespace: 'default' });
  await kubernetes.apply([
    ...grantRights(account('everywhere'), rules),
    ...grantRights(account('somewhere'), rules, 'flux-system'),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account('nowhere') },
  ]);
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
after(async () => {
  for (const api of apis.values()) api.close();
  await kubernetes?.close();
});

describe('createReconcilers, where the cluster has neither Flux nor Argo CD', () => {
  it('knows that there is nothing, and is in no trouble', async () => {
    const { reconcilers, told } = start(await connect('everywhere'));
    await waitUntil(reconcilers.isKnown);
    assert.deepEqual([names(reconcilers), told], [[], []]);
  });
});

describe('createReconcilers', () => {
  before(async () => {
    await kubernetes.apply(reconcilerCrds);
    const crds = reconcilerCrds.map(({ metadata }) => `crd/${metadata.name}`);
    await kubernetes.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
    await applyScene();
  });

  it('reads objects of all namespaces, and what becomes of them', async () => {
    const { reconcilers } = start(await connect('everywhere'));
    await waitUntil(reconcilers.isKnown);
    assert.deepEqual(names(reconcilers), [shop, source, apps, web].map(formatName).sort());
    let changes = 0;
    reconcilers.onChange(() => {
      changes += 1;
    });
    await setStatus(apps, { lastAppliedRevision: at(b) });
    await waitUntil(() => changes > 0);
    const object = find(reconcilers, apps);
    assert.equal(object?.kind === 'Kustomization' && object.applied, b);
    await setStatus(apps, { lastAppliedRevision: at(a) });
  });

  it('reads one namespace with a Role of that namespace', async () => {
    const { reconcilers, told } = start(await connect('somewhere'), {
      products: ['flux'],
      namespaces: ['flux-system'],
    });
    await waitUntil(reconcilers.isKnown);
    assert.deepEqual([names(reconcilers), told], [[source, apps].map(formatName).sort(), []]);
  });

  it('leaves what is not wanted alone', async () => {
    const { reconcilers } = start(await connect('everywhere'), { products: ['argocd'] });
    await waitUntil(reconcilers.isKnown);
    assert.deepEqual(names(reconcilers), [formatName(shop)]);
  });

  it('says once for each kind that it may not look', async () => {
    const { reconcilers, told } = start(await connect('nowhere'));
    await waitUntil(() => told.length >= 4);
    await wait(1000);
    assert.equal(reconcilers.isKnown(), false);
    assert.deepEqual(new Set(told.map((text) => text.split(' ')[0])), new Set(['ClusterDenied']));
    assert.deepEqual([new Set(told).size, [...reconcilers.list()]], [4, []]);
  });

  const rows: [ReconcilerName, string, RegExp][] = [
    [source, 'reconcile.fluxcd.io/requestedAt', /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
    [apps, 'reconcile.fluxcd.io/requestedAt', /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
    [web, 'reconcile.fluxcd.io/requestedAt', /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
    [shop, 'argocd.argoproj.io/refresh', /^normal$/],
  ];
  for (const [name, key, value] of rows)
    it(`asks ${name.kind} by an annotation, and changes nothing else`, async () => {
      const { reconcilers, signal } = start(await connect('everywhere'));
      const before = await read(name);
      assert.equal(await reconcilers.request(name, { signal }), 'sent');
      // What applies is looked at once more before it is called late.
      if (name.kind !== 'GitRepository')
        assert.equal(formatName((await reconcilers.fetch(name, { signal })) ?? source), formatName(name));
      const now = await read(name);
      assert.match(now.metadata.annotations[key], value);
      assert.deepEqual(
        [now.spec, now.status, now.metadata.generation],
        [before.spec, before.status, before.metadata.generation],
      );
      const others = { ...now.metadata.annotations };
      delete others[key];
      assert.deepEqual(others, before.metadata.annotations ?? {});
      const own = now.metadata.managedFields.filter(({ manager }: { manager: string }) => manager === 'tallyman');
      const wanted = { 'f:metadata': { 'f:annotations': { '.': {}, [`f:${key}`]: {} } } };
      assert.deepEqual(
        own.map(({ fieldsV1 }: { fieldsV1: object }) => fieldsV1),
        [wanted],
      );
    });

  it('asks the same object again with another time', async () => {
    const { reconcilers, signal } = start(await connect('everywhere'));
    const values = new Set<string>();
    for (let count = 0; count < 2; count += 1) {
      await reconcilers.request(apps, { signal });
      values.add((await read(apps)).metadata.annotations['reconcile.fluxcd.io/requestedAt']);
      await wait(5);
    }
    assert.equal(values.size, 2);
  });

  it('says that an object is gone', async () => {
    const { reconcilers, signal } = start(await connect('everywhere'));
    assert.equal(await reconcilers.request({ ...apps, name: 'gone' }, { signal }), 'gone');
    assert.equal(await reconcilers.fetch({ ...apps, name: 'gone' }, { signal }), undefined);
    assert.equal(formatName((await reconcilers.fetch(apps, { signal })) ?? shop), formatName(apps));
  });

  it('a request that is not allowed is a failure', async () => {
    const { reconcilers, signal } = start(await connect('somewhere'));
    await assert.rejects(reconcilers.request(shop, { signal }), { code: 'ClusterDenied' });
  });

  it('says once that the server is away, keeps what it knows and goes on after', async () => {
    const { reconcilers, told } = start(await connect('everywhere'));
    await waitUntil(reconcilers.isKnown);
    await kubernetes.kill();
    try {
      await waitUntil(() => told.length > 0);
      await wait(1500);
      assert.equal(told.length, 1, told.join('\n'));
      assert.match(told[0] ?? '', /^ClusterUnavailable /);
      assert.equal(names(reconcilers).length, 4);
    } finally {
      await kubernetes.start();
    }
    await setStatus(apps, { lastAppliedRevision: at(b) });
    await waitUntil(() => {
      const object = find(reconcilers, apps);
      return object?.kind === 'Kustomization' && object.applied === b;
    });
  });

  it('a status of nonsense keeps nobody from being read', async () => {
    await setStatus(apps, { lastAppliedRevision: { a: [1] }, conditions: 'none', lastAttemptedRevision: 7 });
    const { reconcilers } = start(await connect('everywhere'));
    await waitUntil(reconcilers.isKnown);
    const object = find(reconcilers, apps);
    assert.ok(object?.kind === 'Kustomization');
    assert.deepEqual([object.applied, object.ready], [undefined, undefined]);
  });
});

describe('createAppliedWatch, with a real API server', () => {
  /** A branch of two commits, of which the second is ours. */
  const commits = [b, a].map(
    (id): CommitInfo => ({
      ...{ id, parents: id === b ? [a] : [], tree: '', message: '', whenMs: 0 },
      author: { name: 'Ann', email: 'ann@example.com' },
    }),
  );
  const repo = {
    fetch: async () => ({ commit: b, branch: 'main', files: [] }),
    listCommits: async () => ({ commits, complete: true, cut: undefined }),
  } as unknown as YamlRepo & RepoHistory;
  const update = { policy: 'shop/web', image: 'ghcr.io/acme/web', from: '1.0', to: '1.1' };
  const report = {
    snapshot: { commit: a, branch: 'main', files: [] },
    commit: b,
    policies: [],
    commits: [{ commit: b, group: undefined, updates: [update], edits: [{ file: 'apps/web.yaml', update }] }],
  } as unknown as WholeReport;

  async function open(timeoutMs = 600_000) {
    // What they said to the test before is not to be told.
    for (const { kind, name, namespace } of [source, apps, web, shop])
      await kubernetes.kubectl(['delete', kind.toLowerCase(), name, '-n', namespace]);
    await applyScene();
    const { reconcilers, told: problems } = start(await connect('everywhere'));
    await waitUntil(reconcilers.isKnown);
    const told: ApplyOutcome[] = [];
    const watch = createAppliedWatch([{ subject: 'deploy', url, isDefault: true, named: [], repo }], {
      ...{ reconcilers, clock, timeoutMs, metrics: noMetrics, isAlone: true },
      tell: (outcome) => void told.push(outcome),
      createTeller: () => (problem) => problem && problems.push(problem.code),
    });
    const stop = new AbortController();
    const running = watch.run({ signal: stop.signal });
    ends.unshift(async () => {
      stop.abort(new Error('done'));
      await running;
    });
    watch.end('deploy', { report });
    return { told, problems };
  }
  const annotationOf = async (name: ReconcilerName) => Object.keys((await read(name)).metadata.annotations ?? {});

  it('asks, follows and tells, with Flux and Argo CD side by side', async () => {
    const { told } = await open();
    await waitUntil(async () => (await annotationOf(source)).includes('reconcile.fluxcd.io/requestedAt'));
    await waitUntil(async () => (await annotationOf(shop)).includes('argocd.argoproj.io/refresh'));
    assert.equal((await annotationOf(apps)).includes('reconcile.fluxcd.io/requestedAt'), false);
    await setStatus(source, { artifact: { revision: at(b) } });
    await waitUntil(async () => (await annotationOf(apps)).includes('reconcile.fluxcd.io/requestedAt'));
    await setStatus(apps, { lastAppliedRevision: at(b), lastAttemptedRevision: at(b) });
    assert.equal(told.length, 0);
    await setStatus(shop, { sync: { status: 'Synced', revision: b } });
    await waitUntil(() => told.length > 0);
    assert.deepEqual(
      told.map(({ kind, objects }) => [kind, ...objects.map(formatName)]),
      [['applied', formatName(apps), formatName(shop)]],
    );
  });

  it('tells what failed', async () => {
    const { told } = await open();
    const conditions = [{ type: 'Ready', status: 'False', reason: 'BuildFailed', message: 'no such file' }];
    await setStatus(apps, { lastAttemptedRevision: at(b), conditions });
    await waitUntil(() => told.length > 0);
    assert.match(
      told[0]?.message ?? '',
      /^Cannot apply 1.1 of policy "shop\/web": Kustomization .* "BuildFailed: no such file"/,
    );
  });

  it('tells nothing while the API server is away, however late it is', async () => {
    const { told, problems } = await open(1000);
    await kubernetes.kill();
    try {
      await waitUntil(() => problems.filter((problem) => problem === 'ClusterUnavailable').length > 0);
      await wait(2000);
      assert.deepEqual(told, []);
    } finally {
      await kubernetes.start();
    }
    await setStatus(apps, { lastAppliedRevision: at(b) });
    await setStatus(shop, { sync: { status: 'Synced', revision: b } });
    await waitUntil(() => told.length > 0);
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['applied'],
    );
  });
});
