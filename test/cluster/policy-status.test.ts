import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiRequest, KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
import { watchPolicyObjects } from '../../src/cluster/policy-objects.ts';
import { createStatusWriter } from '../../src/cluster/policy-status.ts';
import type { ClusterObject } from '../../src/cluster/watch-objects.ts';
import type { Problem } from '../../src/error/problem.ts';
import type { PolicyStanding } from '../../src/pipeline/cluster-ports.ts';
import type { PolicyStatus } from '../../src/policy/status-schema.ts';
import { deployedRules, grantRights } from '../services/cluster-rights.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';

const apiVersion = 'tallyman.dev/v1alpha1';
const standing = (name: string, parts: Partial<PolicyStanding> = {}): PolicyStanding => ({
  object: { apiVersion, kind: 'ImagePolicy', namespace: 'shop', name },
  state: 'Current',
  current: '1.4.2',
  latest: '1.4.2',
  reason: 'nothing newer is there',
  lastCommit: undefined,
  hold: undefined,
  nextLookMs: undefined,
  conditions: [{ type: 'Ready', status: 'True', reason: 'Current', message: 'nothing newer is there' }],
  ...parts,
});
const object = (name: string) => ({
  apiVersion,
  kind: 'ImagePolicy',
  metadata: { namespace: 'shop', name },
  spec: { image: 'ghcr.io/acme/web', select: { semver: '^1' } },
});
const rights = deployedRules(['imagepolicies', 'imagepolicies/status']);
const [main, staging] = ['https://github.com/acme/deploy main', 'https://github.com/acme/deploy staging'];
const account = { namespace: 'shop', name: 'tallyman' };

interface Worker {
  readonly problems: (Problem | undefined)[];
  show(standings: readonly PolicyStanding[], source?: string): void;
  forget(): void;
  /** How often it wrote the status of an object. */
  count(name: string): number;
  sees(name: string): boolean;
}

describe('createStatusWriter', () => {
  let kubernetes: TestKubernetes;
  let api: KubernetesApi;
  let settled = 0;
  let wallMs = Date.UTC(2026, 0, 1);
  const stop = new AbortController();
  const running: Promise<unknown>[] = [];
  let writer: Worker;

  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('shop');
    await kubernetes.kubectl(['apply', '-k', 'deploy/crd']);
    await kubernetes.kubectl([
      'wait',
      '--for=condition=Established',
      '--timeout=30s',
      'crd/imagepolicies.tallyman.dev',
    ]);
    await kubernetes.apply(grantRights(account, rights));
    api = connectCluster({ kubeconfig: await kubernetes.createKubeconfig(account) });
    writer = startWorker();
  });
  beforeEach(() => {
    writer.problems.length = 0;
  });
  after(async () => {
    stop.abort();
    await Promise.all(running);
    api?.close();
    await kubernetes?.close();
  });

  const clock = {
    nowMs: Date.now,
    wallMs: () => wallMs,
    random: () => 0.5,
    sleep: (ms: number, { signal }: { signal: AbortSignal }) =>
      wait(Math.min(ms, 200), undefined, { signal }).catch(() => undefined),
  };

  /** What one process shows, of the main branch where no other is named. */
  function startWorker() {
    const written: string[] = [];
    const counting: KubernetesApi = {
      ...api,
      async request<Body>(request: ApiRequest) {
        if (request.method === 'PATCH') written.push(request.path.split('/').at(-2) ?? '');
        return await api.request<Body>(request);
      },
    };
    const watched = watchPolicyObjects(counting, { clock, onChange: (key) => status.touch(key) });
    const problems: (Problem | undefined)[] = [];
    const onProblem = (problem: Problem | undefined) => problems.push(problem);
    const status = createStatusWriter({ api: counting, clock, objects: watched, onProblem });
    const { signal } = stop;
    running.push(watched.run({ signal }), status.run({ signal }));
    const show = (standings: readonly PolicyStanding[], source: string = main) =>
      status.show(standings, { source, sources: [main, staging] });
    const count = (name: string) => written.filter((found) => found === name).length;
    return {
      problems,
      show,
      forget: status.forget,
      count,
      sees: (name: string) => watched.objects.has(`shop/${name}`),
    };
  }

  /** Until each worker has heard of all that was written before, and said what it has to say to it. */
  async function settle(...workers: readonly Worker[]): Promise<void> {
    for (const round of [1, 2, 3]) {
      for (const [index, worker] of workers.entries()) {
        const name = `settle-${settled}-${round}-${index}`;
        await kubernetes.apply([object(name)]);
        await waitUntil(() => workers.every(({ sees }) => sees(name)));
        worker.show([standing(name)], name);
        await waitUntil(hasState(name, 'Current'));
      }
    }
    settled += 1;
  }

  const get = async (name: string): Promise<ClusterObject & { readonly status?: PolicyStatus }> =>
    JSON.parse(
      await kubernetes.kubectl([
        'get',
        'imagepolicies.tallyman.dev',
        name,
        '-n',
        'shop',
        '-o',
        'json',
        '--show-managed-fields',
      ]),
    );
  const hasState = (name: string, state: string) => async () => (await get(name)).status?.state === state;

  it('shows how a policy stands, as soon as it has an object', async () => {
    const lastCommit = { revision: 'main@sha1:4b825dc642cb6eb9a060e54bf8d69288fbee4904', version: '1.5.0' };
    const conditions = [
      { type: 'Ready', status: 'True', reason: 'Updated', message: 'the version was committed' },
    ] as const;
    writer.show([standing('late', { state: 'Updated', current: '1.5.0', lastCommit, conditions })]);
    await kubernetes.apply([object('late')]);
    await waitUntil(hasState('late', 'Updated'));
    const { status, metadata } = await get('late');
    assert.deepEqual(status, {
      observedGeneration: metadata.generation,
      source: main,
      state: 'Updated',
      current: '1.5.0',
      latest: '1.4.2',
      reason: 'nothing newer is there',
      lastCommit: { ...lastCommit, time: '2026-01-01T00:00:00.000Z' },
      conditions: [{ ...conditions[0], lastTransitionTime: '2026-01-01T00:00:00.000Z', observedGeneration: 1 }],
    });
  });

  it('keeps the last commit and since when a condition holds, and takes away what is over', async () => {
    await kubernetes.apply([object('web')]);
    const lastCommit = { revision: 'main@sha1:aaaa', version: '1.5.0' };
    const hold = { reason: 'a person took "1.6.0" away', remedy: 'Wait.' };
    writer.show([standing('web', { state: 'Updated', lastCommit, hold })]);
    await waitUntil(hasState('web', 'Updated'));
    wallMs += 60_000;
    writer.show([standing('web')]);
    await waitUntil(hasState('web', 'Current'));
    const { status } = await get('web');
    assert.equal(status?.lastCommit?.revision, 'main@sha1:aaaa');
    assert.equal(status?.conditions?.[0]?.lastTransitionTime, '2026-01-01T00:00:00.000Z');
    assert.equal(status?.hold, undefined);
    const message = 'Cannot list tags';
    const conditions = [
      { type: 'Ready', status: 'False', reason: 'RegistryDenied', message },
      { type: 'Stalled', status: 'True', reason: 'RegistryDenied', message },
    ] as const;
    writer.show([standing('web', { state: 'Failed', conditions })]);
    await waitUntil(hasState('web', 'Failed'));
    const failed = (await get('web')).status?.conditions ?? [];
    assert.deepEqual(
      failed.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
      [
        ['Ready', '2026-01-01T00:01:00.000Z'],
        ['Stalled', '2026-01-01T00:01:00.000Z'],
      ],
    );
    const read = await kubernetes.kubectl([
      'wait',
      '--for=condition=Stalled',
      '--timeout=5s',
      'imagepolicies.tallyman.dev/web',
      '-n',
      'shop',
    ]);
    assert.match(read, /condition met/);
  });

  it('writes nothing where nothing changed, and what another changed is put right by the next pass', async () => {
    await kubernetes.apply([object('calm')]);
    writer.show([standing('calm')]);
    await waitUntil(hasState('calm', 'Current'));
    const { metadata } = await get('calm');
    writer.show([standing('calm')]);
    writer.show([standing('calm'), standing('sentinel')]);
    await kubernetes.apply([object('sentinel')]);
    await waitUntil(hasState('sentinel', 'Current'));
    assert.equal((await get('calm')).metadata.resourceVersion, metadata.resourceVersion);
    const args = ['patch', 'imagepolicies.tallyman.dev', 'calm', '-n', 'shop', '--subresource=status', '--type=merge'];
    await kubernetes.kubectl([...args, '-p', '{"status":{"state":"Held"}}']);
    writer.show([standing('calm'), standing('sentinel')]);
    await waitUntil(hasState('calm', 'Current'));
  });

  it('speaks of a changed object at once', async () => {
    await kubernetes.apply([object('changed')]);
    writer.show([standing('changed')]);
    await waitUntil(hasState('changed', 'Current'));
    await kubernetes.apply([{ ...object('changed'), spec: { image: 'ghcr.io/acme/api', select: { semver: '*' } } }]);
    await waitUntil(async () => (await get('changed')).status?.observedGeneration === 2);
  });

  it('leaves the last word to the worker that made the last pass', async () => {
    await kubernetes.apply([object('shared')]);
    const other = startWorker();
    await waitUntil(() => other.sees('shared'));
    const lastCommit = { revision: 'main@sha1:bbbb', version: '1.5.0' };
    writer.show([standing('shared', { state: 'Updated', lastCommit })]);
    await waitUntil(hasState('shared', 'Updated'));
    other.show([standing('shared')]);
    await waitUntil(hasState('shared', 'Current'));
    await settle(writer, other);
    assert.equal((await get('shared')).status?.state, 'Current');
    assert.deepEqual([writer.count('shared'), other.count('shared')], [1, 1]);
    // What the first one said is out of date: it does not say so again of the changed object.
    await kubernetes.apply([{ ...object('shared'), spec: { image: 'ghcr.io/acme/api', select: { semver: '*' } } }]);
    await waitUntil(async () => (await get('shared')).status?.observedGeneration === 2);
    await settle(writer, other);
    assert.deepEqual([writer.count('shared'), other.count('shared')], [1, 2]);
  });

  it('leaves an object to the Yaml repo that showed it first, until that has it no more', async () => {
    await kubernetes.apply([object('twice')]);
    writer.show([standing('twice')]);
    await waitUntil(hasState('twice', 'Current'));
    const other = startWorker();
    await waitUntil(() => other.sees('twice'));
    for (const worker of [writer, other, writer]) worker.show([standing('twice', { state: 'Waiting' })], staging);
    writer.show([standing('twice')]);
    await settle(writer, other);
    assert.equal((await get('twice')).status?.state, 'Current');
    assert.deepEqual([writer.count('twice'), other.count('twice')], [1, 0]);
    writer.show([]);
    await waitUntil(hasState('twice', 'Waiting'));
    assert.equal((await get('twice')).status?.source, staging);
  });

  it('says of an object that its policy is gone from Git, also after a restart', async () => {
    await kubernetes.apply([object('removed')]);
    writer.show([standing('removed')]);
    await waitUntil(hasState('removed', 'Current'));
    writer.forget();
    const restarted = startWorker();
    await waitUntil(() => restarted.sees('removed'));
    restarted.show([]);
    await waitUntil(hasState('removed', 'Failed'));
    restarted.show([]);
    await settle(restarted);
    const { status } = await get('removed');
    const conditions = status?.conditions?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`);
    assert.deepEqual(conditions, ['Ready False PolicyMissing', 'Stalled True PolicyMissing']);
    assert.match(status?.reason ?? '', /policy "shop\/removed" is not in "https:.* main" any more/);
    assert.equal(restarted.count('removed'), 1);
  });

  it('says once that a policy is gone, though another worker last saw it there', async () => {
    await kubernetes.apply([object('went')]);
    const other = startWorker();
    await waitUntil(() => other.sees('went'));
    for (const worker of [writer, other]) {
      worker.show([standing('went')]);
      await waitUntil(hasState('went', 'Current'));
    }
    await settle(writer, other);
    const before = writer.count('went') + other.count('went');
    writer.show([]);
    await waitUntil(hasState('went', 'Failed'));
    await settle(writer, other);
    // What the other one said is out of date: it does not say so again of the changed object.
    await kubernetes.apply([{ ...object('went'), spec: { image: 'ghcr.io/acme/api', select: { semver: '*' } } }]);
    await waitUntil(async () => (await get('went')).status?.observedGeneration === 2);
    await settle(writer, other);
    const { status } = await get('went');
    assert.deepEqual([status?.state, status?.source], ['Failed', main]);
    assert.equal(writer.count('went') + other.count('went') - before, 2);
    other.show([standing('went')]);
    await waitUntil(hasState('went', 'Current'));
    await settle(writer, other);
    assert.equal(writer.count('went') + other.count('went') - before, 3);
    assert.equal((await get('went')).status?.state, 'Current');
  });

  it('writes a commit on a branch with a long name once', async () => {
    await kubernetes.apply([object('long')]);
    const branches = ['x'.repeat(90), 'y'.repeat(600)];
    for (const branch of branches) {
      const lastCommit = { revision: `${branch}@sha1:4b825dc642cb6eb9a060e54bf8d69288fbee4904`, version: '1.5.0' };
      wallMs += 1000;
      writer.show([standing('long', { state: 'Updated', lastCommit })]);
      await waitUntil(
        async () => (await get('long')).status?.lastCommit?.revision.startsWith(branch.slice(0, 50)) === true,
      );
      wallMs += 1000;
      writer.show([standing('long', { state: 'Updated', lastCommit })]);
      await settle(writer);
    }
    assert.equal(writer.count('long'), branches.length);
  });

  it('leaves to another what it is told to forget', async () => {
    await kubernetes.apply([object('left')]);
    writer.show([standing('left')]);
    await waitUntil(hasState('left', 'Current'));
    writer.forget();
    const args = ['patch', 'imagepolicies.tallyman.dev', 'left', '-n', 'shop', '--subresource=status', '--type=merge'];
    await kubernetes.kubectl([...args, '-p', '{"status":{"state":"Held"}}']);
    writer.show([standing('after')], staging);
    await kubernetes.apply([object('after')]);
    await waitUntil(hasState('after', 'Current'));
    assert.equal((await get('left')).status?.state, 'Held');
  });

  it('does not touch what is none of its own, and bears any text', async () => {
    await kubernetes.apply([object('odd')]);
    const flux = { apiVersion: 'image.toolkit.fluxcd.io/v1', kind: 'ImagePolicy', namespace: 'shop', name: 'odd' };
    writer.show([standing('odd', { object: flux, state: 'Failed' }), standing('unknown')]);
    const long = '🦑"\u0000\n'.repeat(3000);
    writer.show([standing('odd', { current: long, latest: long, reason: long })]);
    await waitUntil(hasState('odd', 'Current'));
    const { status } = await get('odd');
    assert.equal([...(status?.current ?? '')].length, 1024);
    assert.deepEqual(writer.problems.filter(Boolean), []);
  });

  it('says once that it may not, and goes on when it may', async () => {
    await kubernetes.apply([object('denied')]);
    await kubernetes.kubectl(['delete', 'clusterrolebinding', 'tallyman']);
    writer.show([standing('denied')]);
    await waitUntil(() => writer.problems.some((problem) => problem?.code === 'ClusterDenied'));
    await kubernetes.apply(grantRights(account, rights));
    await waitUntil(hasState('denied', 'Current'));
    assert.equal(writer.problems.at(-1), undefined);
  });

  it('says of a namespace that it may not, until it may, whatever becomes of others', async () => {
    await kubernetes.createNamespace('closed');
    const [look, write] = ['imagepolicies', 'imagepolicies/status'].map((resource) => deployedRules([resource]));
    await kubernetes.apply([...grantRights(account, look ?? []), ...grantRights(account, write ?? [], 'shop')]);
    const closed = { ...object('locked'), metadata: { namespace: 'closed', name: 'locked' } };
    await kubernetes.apply([closed, object('open')]);
    const locked = standing('locked', { object: { ...standing('locked').object, namespace: 'closed' } });
    writer.show([locked, standing('open')]);
    await waitUntil(() => writer.problems.at(-1)?.message.includes('namespaces/closed') === true);
    await waitUntil(hasState('open', 'Current'));
    const before = writer.problems.length;
    await settle(writer);
    const told = writer.problems.slice(before).map((problem) => problem?.message);
    assert.ok(told.length > 3);
    for (const message of told) assert.match(message ?? 'over', /namespaces.closed/);
    await kubernetes.apply(grantRights(account, rights));
    await waitUntil(() => writer.problems.at(-1) === undefined);
  });
});
