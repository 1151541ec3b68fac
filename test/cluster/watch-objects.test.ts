import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
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
    options: { fieldSelector?: string; plural?: string },
    test: (watched: WatchedObjects<ConfigMap>, problems: readonly Problem[]) => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController();
    const problems: Problem[] = [];
    const { plural = resource.plural, ...selector } = options;
    const watched = createWatchedObjects<ConfigMap>(api, {
      resource: { ...resource, plural },
      namespace: 'shop',
      clock,
      onProblem: (problem) => problem && problems.push(problem),
      ...selector,
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

  it('knows that there are none of a kind that the cluster does not have', async () => {
    await withWatch({ plural: 'imagepolicies' }, async (watched, problems) => {
      await waitUntil(watched.isKnown);
      assert.deepEqual([[...watched.objects], problems], [[], []]);
    });
  });
});
