import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiRequest, KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
import { imagePolicies } from '../../src/cluster/policy-objects.ts';
import type { Resource } from '../../src/cluster/resource-path.ts';
import { type ClusterObject, createWatchedObjects, type WatchedObjects } from '../../src/cluster/watch-objects.ts';
import type { Problem } from '../../src/error/problem.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';

const clock = {
  nowMs: Date.now,
  wallMs: Date.now,
  random: () => 0.5,
  sleep: (ms: number, { signal }: { signal: AbortSignal }) => wait(ms, undefined, { signal }).catch(() => undefined),
};
const resource = { group: '', version: 'v1', plural: 'configmaps' };
interface ConfigMap extends ClusterObject {
  readonly data?: Readonly<Record<string, string>>;
}
const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'shop', name },
  data: { value },
});

describe('createWatchedObjects', () => {
  let kubernetes: TestKubernetes;
  let api: KubernetesApi;
  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('shop');
    api = connectCluster({ kubeconfig: kubernetes.kubeconfig });
  });
  after(async () => {
    api?.close();
    await kubernetes?.close();
  });

  async function withWatch(
    { by = api, ...options }: { fieldSelector?: string; resource?: Resource; by?: KubernetesApi },
    test: (watched: WatchedObjects<ConfigMap>, problems: readonly Problem[]) => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController();
    const problems: Problem[] = [];
    const watched = createWatchedObjects<ConfigMap>(by, {
      resource,
      namespace: 'shop',
      clock,
      onProblem: (problem) => problem && problems.push(problem),
      ...options,
    });
    const running = watched.run({ signal: stop.signal });
    try {
      await test(watched, problems);
    } finally {
      stop.abort(new Error('done'));
      await running;
    }
  }

  it('knows what is there, what comes, what changes and what goes', async () => {
    await kubernetes.apply([configMap('a', '1'), configMap('b', '1')]);
    await withWatch({}, async ({ objects }) => {
      const dataOf = (name: string) => objects.get(`shop/${name}`)?.data?.value;
      await waitUntil(() => dataOf('a') === '1' && dataOf('b') === '1');
      await kubernetes.apply([configMap('a', '2'), configMap('c', '1')]);
      await waitUntil(() => dataOf('a') === '2' && dataOf('c') === '1');
      await kubernetes.kubectl(['delete', 'configmap', 'b', '-n', 'shop']);
      await waitUntil(() => !objects.has('shop/b'));
    });
  });

  it('keeps of the metadata what names an object and its version, and nothing that others wrote there', async () => {
    const named = configMap('noted', '1');
    await kubernetes.apply([
      { ...named, metadata: { ...named.metadata, annotations: { a: 'b' }, labels: { c: 'd' } } },
    ]);
    await withWatch({ fieldSelector: 'metadata.name=noted' }, async ({ objects }) => {
      await waitUntil(() => objects.size === 1);
      const { metadata, data } = objects.get('shop/noted') ?? {};
      assert.deepEqual(Object.keys(metadata ?? {}).sort(), ['name', 'namespace', 'resourceVersion', 'uid']);
      assert.deepEqual(data, { value: '1' });
    });
  });

  it('sees one by its name alone', async () => {
    await kubernetes.apply([configMap('a', '1'), configMap('d', '1')]);
    await withWatch({ fieldSelector: 'metadata.name=d' }, async (watched) => {
      await waitUntil(watched.isKnown);
      assert.deepEqual([...watched.objects.keys()], ['shop/d']);
    });
  });

  it('keeps what it knows while the server is away, and finds what changed meanwhile', async () => {
    await kubernetes.apply([configMap('e', '1')]);
    await withWatch({}, async ({ objects }, problems) => {
      await waitUntil(() => objects.has('shop/e'));
      await kubernetes.kill();
      await waitUntil(() => problems.length > 0);
      assert.equal(problems[0]?.code, 'ClusterUnavailable');
      assert.equal(objects.get('shop/e')?.data?.value, '1');
      await kubernetes.start();
      await kubernetes.apply([configMap('e', '2')]);
      await waitUntil(() => objects.get('shop/e')?.data?.value === '2');
    });
  });

  it('says nothing of a kind that is taken away, and knows that there are none of it', async () => {
    await kubernetes.kubectl(['apply', '-k', 'deploy/crd']);
    const name = 'crd/imagepolicies.tallyman.dev';
    await kubernetes.kubectl(['wait', '--for=condition=Established', '--timeout=30s', name]);
    const spec = { image: 'ghcr.io/acme/web', select: { semver: '*' } };
    const [apiVersion, kind, metadata] = ['tallyman.dev/v1alpha1', 'ImagePolicy', { namespace: 'shop', name: 'web' }];
    await kubernetes.apply([{ apiVersion, kind, metadata, spec }]);
    const refusals: number[] = [];
    /** The list that follows the watch, which is refused too. */
    const listing: typeof api = {
      ...api,
      async request<Body>(request: ApiRequest) {
        const answer = await api.request<Body>(request);
        if (answer.kind === 'refused') refusals.push(answer.status);
        return answer;
      },
    };
    await withWatch({ resource: imagePolicies, by: listing }, async ({ objects }, problems) => {
      await waitUntil(() => objects.size === 1);
      await kubernetes.kubectl(['delete', name]);
      await waitUntil(() => objects.size === 0);
      await waitUntil(() => refusals.length > 0);
      assert.deepEqual([refusals, problems], [[404], []]);
    });
  });

  it('knows that there are none of a kind that the cluster does not have', async () => {
    await withWatch({ resource: { ...resource, plural: 'imagepolicies' } }, async (watched, problems) => {
      await waitUntil(watched.isKnown);
      assert.deepEqual([[...watched.objects], problems], [[], []]);
    });
  });
});

describe('createWatchedObjects, where a watch ends with an error', () => {
  const lines: [string, { code?: number; message?: string }, string[]][] = [
    ['that says too long ago', { code: 410, message: 'too old resource version' }, []],
    [
      'of the server',
      { code: 500, message: 'etcdserver: no leader' },
      ['ClusterUnavailable Cannot watch /api/v1/configmaps: the API server says "etcdserver: no leader"'],
    ],
    [
      'that says nothing',
      {},
      ['ClusterUnavailable Cannot watch /api/v1/configmaps: the API server says "the watch failed"'],
    ],
  ];
  for (const [name, object, wanted] of lines)
    it(name, async () => {
      const stop = new AbortController();
      const problems: Problem[] = [];
      let lists = 0;
      const api: Pick<KubernetesApi, 'request' | 'watch'> = {
        async request<Body>() {
          lists += 1;
          if (lists > 1) stop.abort(new Error('listed anew'));
          return { kind: 'done', body: { items: [], metadata: { resourceVersion: '1' } } as Body };
        },
        async *watch() {
          yield { type: 'ERROR', object };
        },
      };
      const onProblem = (problem: Problem | undefined) => problem && problems.push(problem);
      await createWatchedObjects(api, { resource, clock, onProblem }).run({ signal: stop.signal });
      const told = problems.map(({ code, message }) => `${code} ${message.split(',')[0]}`);
      assert.deepEqual([lists, told], [2, wanted]);
    });
});
