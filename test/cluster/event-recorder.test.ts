import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connectCluster } from '../../src/cluster/connect.ts';
import { openEvents } from '../../src/cluster/open-events.ts';
import { watchPolicyObjects } from '../../src/cluster/policy-objects.ts';
import type { Problem } from '../../src/error/problem.ts';
import type { StatusEvent } from '../../src/pipeline/cluster-ports.ts';
import type { Clock } from '../../src/pipeline/ports.ts';
import { testPolicy } from '../make-policy.ts';
import { recordingMetrics } from '../pipeline/recording-metrics.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';

interface ToldEvent {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly eventTime: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly action: string;
  readonly regarding: Readonly<Record<string, string>>;
  readonly related?: Readonly<Record<string, string>>;
  readonly reportingController: string;
  readonly reportingInstance: string;
}

const minute = 60_000;
const crd = readFileSync('deploy/crd/imagepolicies.tallyman.dev.yaml', 'utf8');
const web = testPolicy().object;
const policyObject = (name: string) => ({
  apiVersion: 'tallyman.dev/v1alpha1',
  kind: 'ImagePolicy',
  metadata: { namespace: 'shop', name },
  spec: { image: 'ghcr.io/acme/web', select: { semver: '*' } },
});

/** A problem that stays, of shop/web unless told otherwise. */
function eventOf(parts: Partial<StatusEvent> = {}): StatusEvent {
  const note = parts.note ?? 'Cannot ask the registry';
  return {
    reason: 'RegistryUnavailable',
    type: 'Warning',
    about: web,
    action: 'UpdateImage',
    note,
    id: note,
    repeats: true,
    ...parts,
  };
}

/** A clock that goes as the machine's does, and can be set forward. */
function skippingClock(): Clock & { skip(ms: number): void } {
  let ahead = 0;
  return {
    skip(ms) {
      ahead += ms;
    },
    nowMs: () => Date.now() + ahead,
    wallMs: () => Date.now() + ahead,
    random: () => 0.5,
    // So that pauses pass at once where the clock is set forward.
    async sleep(ms, { signal }) {
      const endMs = Date.now() + ahead + ms;
      while (!signal.aborted && Date.now() + ahead < endMs)
        await wait(Math.min(20, endMs - Date.now() - ahead), undefined, { signal }).catch(() => undefined);
    },
  };
}

describe('the recorder of Events', () => {
  let kubernetes: TestKubernetes;
  before(async () => {
    kubernetes = await startKubernetes();
    for (const name of ['shop', 'tallyman', 'private']) await kubernetes.createNamespace(name);
    const account = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: 'tallyman', name },
    });
    const rules = [{ apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }];
    const watching = { apiGroups: ['tallyman.dev'], resources: ['imagepolicies'], verbs: ['list', 'watch'] };
    const bind = (kind: string, name: string, user: string, namespace?: string) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
      metadata: { name: `${user}-${name}`, ...(namespace && { namespace }) },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
      subjects: [{ kind: 'ServiceAccount', namespace: 'tallyman', name: user }],
    });
    const role = (name: string, some: object[]) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name },
      rules: some,
    });
    await kubernetes.apply([
      account('everywhere'),
      account('at-home'),
      account('nobody'),
      role('tell', rules),
      role('look', [watching]),
      bind('ClusterRole', 'tell', 'everywhere'),
      bind('ClusterRole', 'look', 'everywhere'),
      bind('ClusterRole', 'tell', 'at-home', 'tallyman'),
      bind('ClusterRole', 'look', 'at-home'),
      bind('ClusterRole', 'look', 'nobody'),
    ]);
  });
  after(() => kubernetes?.close());

  async function open(name = 'everywhere', pod: string | undefined = 'tallyman-0') {
    const clock = skippingClock();
    const metrics = recordingMetrics();
    const told: (Problem | undefined)[] = [];
    const kubeconfig = await kubernetes.createKubeconfig({ namespace: 'tallyman', name });
    const api = connectCluster({ kubeconfig });
    const policies = watchPolicyObjects(api, { clock });
    const events = openEvents({
      api,
      clock,
      pod: { name: pod, namespace: 'tallyman', uid: undefined },
      policies,
      forgetMs: 33 * minute,
      metrics: () => metrics,
      createTeller: () => (problem) => void told.push(problem),
    });
    const cluster = { api, policies, events };
    const problems = () => [...new Set(told.flatMap((problem) => (problem ? [problem.message] : [])))];
    return { clock, metrics, cluster, problems };
  }

  async function whileRunning(
    { api, policies, events }: Awaited<ReturnType<typeof open>>['cluster'],
    work: () => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController();
    const running = Promise.all([policies, events].map((part) => part.run({ signal: stop.signal })));
    try {
      await work();
    } finally {
      stop.abort(new Error('done'));
      await running;
      api.close();
    }
  }

  async function list(namespace: string): Promise<readonly ToldEvent[]> {
    const { items } = JSON.parse(
      await kubernetes.kubectl(['get', 'events.events.k8s.io', '-n', namespace, '-o', 'json']),
    );
    return items;
  }

  async function waitFor(namespace: string, note: string): Promise<ToldEvent> {
    let found: ToldEvent | undefined;
    await waitUntil(async () => {
      found = (await list(namespace)).find((event) => event.note.includes(note));
      return found !== undefined;
    });
    assert.ok(found);
    return found;
  }

  it('tells what happened, so that kubectl shows it, without the CRD and with it', async () => {
    const { cluster, metrics } = await open();
    await whileRunning(cluster, async () => {
      const { events } = cluster;
      const done = { reason: 'ImageUpdated', type: 'Normal' as const, repeats: false };
      events.record([eventOf({ ...done, note: 'Updated ghcr.io/acme/web from 1.4.2 to 1.5.0' })]);
      const before = await waitFor('shop', 'to 1.5.0');
      assert.deepEqual(before.regarding, web);
      assert.deepEqual(
        [before.type, before.reason, before.action, before.reportingController, before.reportingInstance],
        ['Normal', 'ImageUpdated', 'UpdateImage', 'tallyman.dev/tallyman', 'tallyman-0'],
      );
      assert.match(
        await kubernetes.kubectl(['events', '-n', 'shop']),
        /Normal\s+ImageUpdated\s+ImagePolicy\/web\s+Updated/,
      );
      await kubernetes.apply(crd);
      await kubernetes.kubectl(['wait', '--for=condition=Established', 'crd/imagepolicies.tallyman.dev']);
      await kubernetes.apply([policyObject('web')]);
    });
    const again = await open();
    await whileRunning(again.cluster, async () => {
      again.cluster.events.record([
        eventOf({ reason: 'ImageUpdated', type: 'Normal', note: 'Updated from 1.5.0 to 1.6.0' }),
      ]);
      const { regarding } = await waitFor('shop', 'to 1.6.0');
      assert.match(regarding.uid ?? '', /^[0-9a-f-]{36}$/);
      assert.match(regarding.resourceVersion ?? '', /^\d+$/);
      const shown = await kubernetes.kubectl(['events', '--for', 'imagepolicy/web', '-n', 'shop']);
      assert.match(shown, /to 1\.5\.0/);
      assert.match(shown, /to 1\.6\.0/);
      assert.match(
        await kubernetes.kubectl(['describe', 'imagepolicy', 'web', '-n', 'shop']),
        /ImageUpdated.*to 1\.6\.0/,
      );
    });
    assert.deepEqual(metrics.told, ['tallyman_events_total created']);
  });
});
