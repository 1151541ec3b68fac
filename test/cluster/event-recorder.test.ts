import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connectCluster } from '../../src/cluster/connect.ts';
import { createEventRecorder } from '../../src/cluster/event-recorder.ts';
import { openEvents } from '../../src/cluster/open-events.ts';
import { watchPolicyObjects } from '../../src/cluster/policy-objects.ts';
import type { Problem } from '../../src/error/problem.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
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
  /** Left out where it is empty. */
  readonly note?: string;
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

describe('the recorder of Events without a cluster', () => {
  it('ends at once when it is told to, also in the pause before the next try', async () => {
    const stop = new AbortController();
    let deny = () => {};
    const denied = new Promise<void>((resolve) => {
      deny = resolve;
    });
    const recorder = createEventRecorder({
      sender: {
        send: () => Promise.reject(new TallymanError('ClusterDenied', 'Cannot tell an Event: it may not')),
        findTrouble: () => undefined,
      },
      clock: skippingClock(),
      forgetMs: minute,
      metrics: recordingMetrics,
      isReady: () => true,
      onProblem: () => deny(),
      onLoss: () => undefined,
    });
    const running = recorder.run({ signal: stop.signal });
    await new Promise(setImmediate);
    recorder.record([eventOf()]);
    await denied;
    await new Promise(setImmediate);
    stop.abort(new Error('stopped'));
    const late = new AbortController();
    const ended = await Promise.race([
      running.then(() => true),
      wait(5000, false, { signal: late.signal }).catch(() => false),
    ]);
    late.abort();
    assert.equal(ended, true);
  });
});

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

  async function open(name = 'everywhere', { isPod = true } = {}) {
    const clock = skippingClock();
    const metrics = recordingMetrics();
    const told: (Problem | undefined)[] = [];
    const kubeconfig = await kubernetes.createKubeconfig({ namespace: 'tallyman', name });
    const api = connectCluster({ kubeconfig });
    const policies = watchPolicyObjects(api, { clock });
    const events = openEvents({
      api,
      clock,
      pod: { name: isPod ? 'tallyman-0' : undefined, namespace: 'tallyman', uid: undefined },
      policies,
      isReady: policies.isKnown,
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
      found = (await list(namespace)).find((event) => event.note?.includes(note));
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
      const asked = kubernetes.kubectl(['events', '--for', 'imagepolicy/web', '-n', 'shop']);
      await assert.rejects(asked, /doesn't have a resource type "imagepolicy"/);
      const fields = '--field-selector=involvedObject.kind=ImagePolicy,involvedObject.name=web';
      assert.match(await kubernetes.kubectl(['get', 'events', '-n', 'shop', fields]), /ImageUpdated.*to 1\.5\.0/);
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
      for (const kind of ['imagepolicy', 'imagepolicy.tallyman.dev']) {
        const shown = await kubernetes.kubectl(['events', '--for', `${kind}/web`, '-n', 'shop']);
        assert.match(shown, /to 1\.5\.0/);
        assert.match(shown, /to 1\.6\.0/);
      }
      assert.match(
        await kubernetes.kubectl(['describe', 'imagepolicy', 'web', '-n', 'shop']),
        /ImageUpdated.*to 1\.6\.0/,
      );
    });
    assert.deepEqual(metrics.told, ['tallyman_events_total created']);
  });

  it('makes one Event with a series of a problem that stays, also where another worker sees it, or it expired', async () => {
    const problem = eventOf({ note: 'Cannot ask it for 30 s' });
    const [first, second] = [await open(), await open()];
    const seen = async () => (await list('shop')).filter(({ note }) => note === problem.note);
    await whileRunning(first.cluster, async () => {
      const { events } = first.cluster;
      events.keep('deploy', [problem]);
      await waitFor('shop', problem.note);
      for (let pass = 0; pass < 4; pass += 1) events.keep('deploy', [problem]);
      await wait(300);
      assert.equal((await seen())[0]?.series, undefined, 'not at each pass');
      first.clock.skip(6 * minute);
      events.keep('deploy', [problem]);
      await waitUntil(async () => (await seen())[0]?.series?.count === 6);
      // A worker whose clock goes ahead, so that it is long ago to it that this was told.
      second.clock.skip(20 * minute);
      await whileRunning(second.cluster, async () => {
        second.cluster.events.keep('deploy', [problem]);
        await waitUntil(async () => (await seen())[0]?.series?.count === 7);
      });
      first.clock.skip(40 * minute);
      events.keep('deploy', [problem]);
      await waitUntil(async () => (await seen())[0]?.series?.count === 8);
      const [event, ...others] = await seen();
      assert.deepEqual(others, []);
      assert.match(await kubernetes.kubectl(['events', '-n', 'shop']), /\(x8 over .*RegistryUnavailable/);
      await kubernetes.kubectl(['delete', 'events.events.k8s.io', event?.metadata.name ?? '', '-n', 'shop']);
      first.clock.skip(40 * minute);
      events.keep('deploy', [problem]);
      await waitUntil(async () => (await seen()).length === 1);
      events.keep('deploy', []);
      const last = (await seen())[0]?.series;
      first.clock.skip(40 * minute);
      await wait(300);
      assert.deepEqual((await seen())[0]?.series, last, 'it is over');
    });
    assert.deepEqual([first.problems(), second.problems()], [[], []]);
    assert.deepEqual([...new Set(second.metrics.told)], ['tallyman_events_total repeated']);
  });

  it('tells once what two workers tell at the same time, or a restart tells again', async () => {
    const waiting = eventOf({ reason: 'ImageWaiting', type: 'Normal', note: 'Waiting with 1.4.2', repeats: false });
    const workers = [await open(), await open(), await open()];
    for (const { cluster, metrics } of workers)
      await whileRunning(cluster, async () => {
        cluster.events.keep('deploy', [waiting]);
        await waitUntil(() => metrics.told.length === 1);
      });
    const told = (await list('shop')).filter(({ reason }) => reason === 'ImageWaiting');
    assert.deepEqual([told.length, told[0]?.series], [1, undefined]);
    assert.deepEqual(
      workers.flatMap(({ metrics }) => metrics.told),
      ['created', 'repeated', 'repeated'].map((outcome) => `tallyman_events_total ${outcome}`),
    );
  });

  it('tells at home what is of a namespace that is not there, or going, and says nothing more of it', async () => {
    const { cluster, problems, metrics } = await open();
    await kubernetes.createNamespace('leaving');
    // Without controllers it never gets further.
    await kubernetes.kubectl(['delete', 'namespace', 'leaving', '--wait=false']);
    await whileRunning(cluster, async () => {
      for (const namespace of ['elsewhere', 'leaving']) {
        const about = { ...web, namespace };
        cluster.events.record([eventOf({ about, note: `Cannot do it in ${namespace}` })]);
        const { note, regarding, related } = await waitFor('tallyman', `in ${namespace}`);
        assert.equal(note, `ImagePolicy ${namespace}/web: Cannot do it in ${namespace}`);
        assert.deepEqual(regarding, { apiVersion: 'v1', kind: 'Pod', namespace: 'tallyman', name: 'tallyman-0' });
        assert.deepEqual(related, about);
      }
    });
    assert.deepEqual([problems(), metrics.told], [[], Array(2).fill('tallyman_events_total created')]);
  });

  it('tells what concerns no policy at its pod, or where it has none, at its namespace', async () => {
    const { cluster } = await open('everywhere', { isPod: false });
    await whileRunning(cluster, async () => {
      cluster.events.record([eventOf({ about: undefined, note: 'Cannot fetch' })]);
      const { regarding } = await waitFor('tallyman', 'Cannot fetch');
      assert.deepEqual(regarding, { apiVersion: 'v1', kind: 'Namespace', namespace: 'tallyman', name: 'tallyman' });
    });
  });

  it('tells at home what it may not tell elsewhere, and says why, once', async () => {
    const { cluster, problems } = await open('at-home');
    await whileRunning(cluster, async () => {
      cluster.events.record([eventOf({ note: 'Cannot be here' }), eventOf({ note: 'Cannot be here either' })]);
      await waitFor('tallyman', 'Cannot be here either');
      await waitUntil(() => problems().length === 1);
      assert.match(problems()[0] ?? '', /cannot create resource "events".*in the namespace "shop"/);
    });
  });

  it('keeps what it may tell nowhere until it may', async () => {
    const { cluster, clock, problems } = await open('nobody');
    await whileRunning(cluster, async () => {
      cluster.events.record([eventOf({ note: 'Cannot be told yet' })]);
      await waitUntil(() => problems().length === 1);
      assert.match(problems()[0] ?? '', /cannot create resource "events".*in the namespace "tallyman"/);
      assert.equal(cluster.events.countUntold(), 1);
      await kubernetes.kubectl([
        'create',
        'clusterrolebinding',
        'late',
        '--clusterrole=tell',
        '--serviceaccount=tallyman:nobody',
      ]);
      await waitUntil(async () => {
        clock.skip(minute);
        return cluster.events.countUntold() === 0;
      });
      await waitFor('shop', 'Cannot be told yet');
    });
  });

  it('goes on with what the API server does not take', async () => {
    const { cluster, metrics, problems } = await open();
    await whileRunning(cluster, async () => {
      cluster.events.record([eventOf({ action: '', note: 'Wrong' }), eventOf({ note: 'Right' })]);
      await waitFor('shop', 'Right');
      cluster.events.keep('deploy', [eventOf({ action: '', note: 'Wrong' })]);
      await waitUntil(() => cluster.events.countUntold() === 0);
    });
    assert.deepEqual(
      metrics.told,
      ['refused', 'created', 'refused'].map((outcome) => `tallyman_events_total ${outcome}`),
    );
    assert.match(problems()[0] ?? '', /Cannot tell RegistryUnavailable as an Event: .*action/);
  });

  it('bears names and texts of any kind', async () => {
    const { cluster, problems } = await open();
    const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const notes = [
      `\u0000\u001b[31m\u202e${'😀'.repeat(2000)}`,
      '\ud800 half',
      '{{ .Values }} <script>alert(1)</script> %s %n ../../etc',
      '\n'.repeat(5000),
      ' ',
      '',
    ];
    await whileRunning(cluster, async () => {
      cluster.events.record(notes.map((note) => eventOf({ reason: 'PolicyInvalid', about: { ...web, name }, note })));
      cluster.events.record([
        eventOf({ reason: 'PolicyInvalid', about: { ...web, apiVersion: 'x/v1', kind: 'Thing' } }),
      ]);
      await waitUntil(() => cluster.events.countUntold() === 0);
    });
    const told = (await list('shop')).filter(({ reason }) => reason === 'PolicyInvalid');
    assert.deepEqual([told.length, problems()], [notes.length + 1, []]);
    for (const { note } of told) assert.ok(Buffer.byteLength(note ?? '') <= 1024);
    assert.match(told.map(({ note }) => note).join(), /<script>/);
  });

  it('tells at home of what nothing in a cluster may be called by', async () => {
    const { cluster, metrics, problems } = await open();
    const names = [{ name: `\${APP}-web` }, { name: 'Web_App' }, { namespace: '..' }, { namespace: '', name: '.' }];
    await whileRunning(cluster, async () => {
      const reason = 'ImageUpdated';
      cluster.events.record(names.map((parts) => eventOf({ reason, about: { ...web, ...parts }, note: 'Odd' })));
      await waitUntil(() => cluster.events.countUntold() === 0);
    });
    const told = (await list('tallyman')).filter(({ note }) => note?.endsWith('Odd')).map(({ note }) => note);
    const wanted = ['shop/${APP}-web', 'shop/Web_App', '../web', '/.'].map((name) => `ImagePolicy ${name}: Odd`);
    assert.deepEqual(told.sort(), wanted.sort());
    assert.deepEqual([metrics.told, problems()], [Array(names.length).fill('tallyman_events_total created'), []]);
  });

  it('tells no faster than the API server bears', async () => {
    const { cluster } = await open();
    const many = Array.from({ length: 75 }, (_, index) =>
      eventOf({ reason: 'EditRefused', note: `Cannot edit ${index}` }),
    );
    const beganMs = Date.now();
    await whileRunning(cluster, async () => {
      cluster.events.record(many);
      await waitUntil(() => cluster.events.countUntold() === 0);
    });
    assert.ok(Date.now() - beganMs > 2000);
    assert.equal((await list('shop')).filter(({ reason }) => reason === 'EditRefused').length, 75);
  });

  for (const way of ['was killed', 'was frozen'] as const)
    it(`tells what happened while the API server ${way}`, async () => {
      const { cluster, clock, problems } = await open();
      const note = `Cannot be told while it ${way}`;
      await whileRunning(cluster, async () => {
        const { events } = cluster;
        events.keep('deploy', [eventOf()]);
        await waitUntil(() => events.countUntold() === 0);
        if (way === 'was killed') await kubernetes.kill();
        else kubernetes.freeze(true);
        events.record([eventOf({ note })]);
        await wait(1500);
        assert.equal(events.countUntold(), 1);
        if (way === 'was killed') await kubernetes.start();
        else kubernetes.freeze(false);
        clock.skip(minute);
        await waitFor('shop', note);
        await waitUntil(() => events.countUntold() === 0);
      });
      assert.equal((await list('shop')).filter((event) => event.note === note).length, 1);
      assert.ok(!(await list('tallyman')).some((event) => event.note?.includes(note)));
      assert.equal(
        problems().some((problem) => problem.includes('an answer was wanted')),
        way === 'was killed',
      );
    });

  it('says what it could not tell before the end', async () => {
    const { cluster, metrics, problems } = await open();
    await kubernetes.kill();
    try {
      cluster.events.record([eventOf({ note: 'a' }), eventOf({ note: 'b' })]);
      const beganMs = Date.now();
      await cluster.events.flush({ signal: AbortSignal.timeout(500) });
      assert.ok(Date.now() - beganMs < 3000);
    } finally {
      cluster.api.close();
      await kubernetes.start();
    }
    assert.deepEqual(metrics.told, ['tallyman_events_dropped_total = 2']);
    assert.match(problems().at(-1) ?? '', /Cannot tell 2 Events: the program ended before/);
  });
});
