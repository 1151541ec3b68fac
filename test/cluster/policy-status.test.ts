import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesApi } from '../../src/cluster/api.ts';
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
const account = { namespace: 'shop', name: 'tallyman' };

describe('createStatusWriter', () => {
  let kubernetes: TestKubernetes;
  let api: KubernetesApi;
  let problems: (Problem | undefined)[] = [];
  let wallMs = Date.UTC(2026, 0, 1);
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let writer: ReturnType<typeof createStatusWriter>;

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
    const clock = {
      nowMs: Date.now,
      wallMs: () => wallMs,
      random: () => 0.5,
      sleep: (ms: number, { signal }: { signal: AbortSignal }) =>
        wait(Math.min(ms, 200), undefined, { signal }).catch(() => undefined),
    };
    const watched = watchPolicyObjects(api, { clock, onChange: (key) => writer.touch(key) });
    writer = createStatusWriter({ api, clock, objects: watched, onProblem: (problem) => problems.push(problem) });
    running = Promise.all([watched.run({ signal: stop.signal }), writer.run({ signal: stop.signal })]);
  });
  beforeEach(() => {
    problems = [];
  });
  after(async () => {
    stop.abort();
    await running;
    api?.close();
    await kubernetes?.close();
  });

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

  it('writes nothing where nothing changed, and what another changed is put right', async () => {
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
    await waitUntil(hasState('calm', 'Current'));
  });

  it('leaves to another what it is told to forget', async () => {
    await kubernetes.apply([object('left')]);
    writer.show([standing('left')]);
    await waitUntil(hasState('left', 'Current'));
    writer.forget();
    const args = ['patch', 'imagepolicies.tallyman.dev', 'left', '-n', 'shop', '--subresource=status', '--type=merge'];
    await kubernetes.kubectl([...args, '-p', '{"status":{"state":"Held"}}']);
    writer.show([standing('after')]);
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
    assert.deepEqual(problems.filter(Boolean), []);
  });

  it('says once that it may not, and goes on when it may', async () => {
    await kubernetes.apply([object('denied')]);
    await kubernetes.kubectl(['delete', 'clusterrolebinding', 'tallyman']);
    writer.show([standing('denied')]);
    await waitUntil(() => problems.some((problem) => problem?.code === 'ClusterDenied'));
    await kubernetes.apply(grantRights(account, rights));
    await waitUntil(hasState('denied', 'Current'));
    assert.equal(problems.at(-1), undefined);
  });
});
