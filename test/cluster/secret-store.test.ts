import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
import { createSecretStore, type SecretNeeds, type SecretStore } from '../../src/cluster/secret-store.ts';
import type { Problem } from '../../src/error/problem.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';
import { allowReading, secretOf } from './reading-secrets.ts';

const clock = {
  nowMs: Date.now,
  wallMs: Date.now,
  random: () => 0.5,
  sleep: (ms: number, { signal }: { signal: AbortSignal }) => wait(ms, undefined, { signal }).catch(() => undefined),
};
const hidden = 'hunter2-never-told';

describe('createSecretStore', () => {
  let kubernetes: TestKubernetes;
  let api: KubernetesApi;
  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('shop');
    await kubernetes.createNamespace('tallyman');
    const many = Array.from({ length: 70 }, (_, index) => `many-${index}`);
    await kubernetes.apply([
      ...allowReading({
        namespace: 'tallyman',
        secrets: ['basic', 'git', 'late', 'rotated', 'pull-a', 'pull-b', 'pull-c', ...many],
        serviceAccounts: ['builder'],
      }),
      ...allowReading({ namespace: 'shop', secrets: ['git'] }),
    ]);
    api = connectCluster({
      kubeconfig: await kubernetes.createKubeconfig({ namespace: 'tallyman', name: 'tallyman' }),
    });
  });
  after(async () => {
    api?.close();
    await kubernetes?.close();
  });

  async function withStore(
    needs: Partial<SecretNeeds>,
    test: (store: SecretStore, told: (Problem | undefined)[]) => Promise<void>,
    patienceMs = 5000,
  ): Promise<void> {
    const told: (Problem | undefined)[] = [];
    const createTeller = () => (problem: Problem | undefined) => void told.push(problem);
    const all = { secrets: [], pullSecrets: [], serviceAccounts: [], ...needs };
    const store = createSecretStore(api, { needs: all, clock, createTeller });
    await store.open({ patienceMs });
    try {
      await test(store, told);
    } finally {
      store.close();
      assert.doesNotMatch(inspect(told, { depth: 9 }), /hunter2/);
    }
  }

  /** What reading throws, which holds no value of any Secret. */
  function faultOf(read: () => unknown): { code: string; message: string; remedy: string } {
    try {
      read();
    } catch (error) {
      assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
      return error as ReturnType<typeof faultOf>;
    }
    return assert.fail('it did not throw');
  }

  it('has what is there once it is open, of its own namespace and of others, by permissions that name each', async () => {
    await kubernetes.apply([
      secretOf('tallyman', 'basic', { username: 'bot', password: hidden }, 'kubernetes.io/basic-auth'),
      secretOf('shop', 'git', { token: 'größe' }),
    ]);
    await withStore({ secrets: [{ name: 'basic' }, { name: 'git', namespace: 'shop' }] }, async (store, told) => {
      const own = store.readSecret({ name: 'basic' });
      assert.deepEqual(
        [own.title, own.type, [...own.keys].sort(), own.find('password'), own.find('toString')],
        ['Secret "tallyman/basic"', 'kubernetes.io/basic-auth', ['password', 'username'], hidden, undefined],
      );
      assert.equal(store.readSecret({ name: 'git', namespace: 'shop' }).find('token'), 'größe');
      assert.deepEqual(told, []);
      assert.doesNotMatch(inspect(store, { depth: 9, showHidden: true }), /hunter2/);
    });
  });

  it('has a rotated one, and one that comes late, without being opened anew', async () => {
    await kubernetes.apply([secretOf('tallyman', 'rotated', { token: 'one' })]);
    await withStore({ secrets: [{ name: 'rotated' }, { name: 'late' }] }, async ({ readSecret }) => {
      const { code, message, remedy } = faultOf(() => readSecret({ name: 'late' }));
      assert.deepEqual(
        [code, message],
        [
          'SecretUnavailable',
          'Cannot use Secret "tallyman/late": it is not there, one that Tallyman may read was wanted',
        ],
      );
      assert.match(remedy, /namespace "tallyman"/);
      await kubernetes.apply([
        secretOf('tallyman', 'rotated', { token: 'two' }),
        secretOf('tallyman', 'late', { token: 'three' }),
      ]);
      await waitUntil(() => readSecret({ name: 'rotated' }).find('token') === 'two');
      await waitUntil(() => !isMissing(readSecret, 'late'));
      await kubernetes.kubectl(['delete', 'secret', 'late', '-n', 'tallyman']);
      await waitUntil(() => isMissing(readSecret, 'late'));
    });
  });

  it('tells what it may not read, does not wait for it, and has the others', async () => {
    await kubernetes.apply([
      secretOf('tallyman', 'git', { token: 'one' }),
      secretOf('tallyman', 'forbidden', { token: hidden }),
    ]);
    const startMs = Date.now();
    await withStore(
      { secrets: [{ name: 'forbidden' }, { name: 'git' }, { name: 'git', namespace: 'default' }] },
      async ({ readSecret }, told) => {
        assert.ok(Date.now() - startMs < 30_000, 'it waited for what a person has to allow first');
        assert.equal(readSecret({ name: 'git' }).find('token'), 'one');
        const { code, message, remedy } = faultOf(() => readSecret({ name: 'forbidden' }));
        assert.equal(code, 'SecretUnavailable');
        assert.match(
          message,
          /^Cannot use Secret "tallyman\/forbidden": the API server does not allow it \(.*cannot list/,
        );
        assert.match(remedy, /list and watch secrets in namespace "tallyman".*resourceNames: \[forbidden\]/);
        assert.match(
          faultOf(() => readSecret({ name: 'git', namespace: 'default' })).message,
          /^Cannot use Secret "default\/git": the API server does not allow it/,
        );
        assert.deepEqual(
          told.map((problem) => problem?.code),
          ['ClusterDenied'],
        );
      },
      60_000,
    );
  });

  it('watches more than the API has connections for requests, which go on', async () => {
    const secrets = Array.from({ length: 70 }, (_, index) => ({ name: `many-${index}` }));
    await kubernetes.apply(secrets.map(({ name }) => secretOf('tallyman', name, { token: name })));
    await withStore(
      { secrets },
      async ({ readSecret }) => {
        for (const { name } of secrets) assert.equal(readSecret({ name }).find('token'), name);
        await kubernetes.apply(secrets.map(({ name }) => secretOf('tallyman', name, { token: `${name}+` })));
        await waitUntil(() => secrets.every(({ name }) => readSecret({ name }).find('token') === `${name}+`));
        const path = '/api/v1/namespaces/tallyman/secrets';
        const query = { fieldSelector: 'metadata.name=git' };
        const { signal } = new AbortController();
        assert.equal((await api.request({ method: 'GET', path, query, signal })).kind, 'done');
      },
      60_000,
    );
  });

  it('has pull secrets, those of service accounts too as they change, and says which it has not', async () => {
    const account = (...names: string[]) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: 'tallyman', name: 'builder' },
      imagePullSecrets: names.map((name) => ({ name })),
    });
    const config = (user: string) => JSON.stringify({ auths: { 'a.io': { username: user, password: hidden } } });
    await kubernetes.apply([
      secretOf('tallyman', 'pull-a', { '.dockerconfigjson': config('a') }, 'kubernetes.io/dockerconfigjson'),
      secretOf('tallyman', 'pull-b', { '.dockercfg': '{"a.io":{}}' }, 'kubernetes.io/dockercfg'),
      secretOf('tallyman', 'git', { token: hidden }),
      account('pull-a', 'pull-b'),
    ]);
    const needs = { pullSecrets: [{ name: 'git' }, { name: 'pull-a' }], serviceAccounts: [{ name: 'builder' }] };
    await withStore(needs, async (store) => {
      const list = () => {
        const { secrets, faults } = store.listPullSecrets();
        assert.doesNotMatch(inspect(faults, { depth: 9 }), /hunter2/);
        return [...secrets.map(({ text }) => text), ...faults.map(({ message }) => message)];
      };
      const unusable =
        'Cannot use Secret "tallyman/git" as a pull secret: its type is Opaque and it has "token", text under ".dockerconfigjson" or ".dockercfg" was wanted';
      assert.deepEqual(list(), [config('a'), '{"a.io":{}}', unusable]);
      await kubernetes.apply([account('pull-c')]);
      await waitUntil(() => list().some((text) => text.startsWith('Cannot use Secret "tallyman/pull-c": it is not')));
      assert.equal(list().length, 3);
      await kubernetes.apply([secretOf('tallyman', 'pull-c', { '.dockercfg': '{"c.io":{}}' })]);
      await waitUntil(() => list().includes('{"c.io":{}}'));
      await kubernetes.kubectl(['delete', 'serviceaccount', 'builder', '-n', 'tallyman']);
      await waitUntil(() =>
        list().some((text) => text.startsWith('Cannot use service account "tallyman/builder": it')),
      );
      assert.ok(!list().includes('{"c.io":{}}'));
    });
  });

  it('says when one has become something else, and only then', async () => {
    await kubernetes.apply([secretOf('tallyman', 'rotated', { token: 'one' })]);
    await withStore({ secrets: [{ name: 'rotated' }, { name: 'git' }] }, async (store) => {
      let changes = 0;
      store.onChange(() => {
        changes += 1;
      });
      await kubernetes.kubectl(['annotate', 'secret', 'rotated', '-n', 'tallyman', 'touched=yes', '--overwrite']);
      await kubernetes.apply([secretOf('tallyman', 'rotated', { token: 'three' })]);
      await waitUntil(() => store.readSecret({ name: 'rotated' }).find('token') === 'three');
      assert.equal(changes, 1);
    });
  });

  it('asks for no name that a service account must not have', async () => {
    const imagePullSecrets = ['pull-a', 'x,metadata.name!=y', '../git', ''].map((name) => ({ name }));
    const metadata = { namespace: 'tallyman', name: 'builder' };
    await kubernetes.kubectl(['replace', '--force', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata, imagePullSecrets }),
    });
    await withStore({ serviceAccounts: [{ name: 'builder' }] }, async (store, told) => {
      const { secrets, faults } = store.listPullSecrets();
      assert.deepEqual([secrets.map(({ title }) => title), faults, told], [['Secret "tallyman/pull-a"'], [], []]);
    });
  });

  it('keeps what it has while the API server is away, tells that once, and finds what changed meanwhile', async () => {
    await kubernetes.apply([
      secretOf('tallyman', 'git', { token: 'one' }),
      secretOf('tallyman', 'rotated', { token: 'one' }),
    ]);
    await withStore({ secrets: [{ name: 'git' }, { name: 'rotated' }] }, async ({ readSecret }, told) => {
      await kubernetes.kill();
      await waitUntil(() => told.length > 0);
      await wait(1500);
      assert.deepEqual(
        told.map((problem) => problem?.code),
        ['ClusterUnavailable'],
      );
      assert.equal(readSecret({ name: 'git' }).find('token'), 'one');
      await kubernetes.start();
      await kubernetes.apply([secretOf('tallyman', 'git', { token: 'two' })]);
      await waitUntil(() => readSecret({ name: 'git' }).find('token') === 'two', { timeoutMs: 60_000 });
      // A server that has just started may deny at first what it allows: that is told, and over as well.
      const [open, over] = [() => told.filter(Boolean), () => told.filter((problem) => problem === undefined)];
      await waitUntil(() => over().length === open().length, { timeoutMs: 60_000 });
      assert.equal(open().filter((problem) => problem?.code === 'ClusterUnavailable').length, 1, inspect(told));
    });
  });

  it('opens without an API server, waits no longer than asked for, and has what it wants once the server is there', async () => {
    await kubernetes.kill();
    const startMs = Date.now();
    await withStore(
      { secrets: [{ name: 'git' }], serviceAccounts: [{ name: 'builder' }] },
      async ({ readSecret, listPullSecrets }) => {
        const waitedMs = Date.now() - startMs;
        assert.ok(waitedMs >= 290 && waitedMs < 10_000, `${waitedMs} ms`);
        const { code, message } = faultOf(() => readSecret({ name: 'git' }));
        assert.equal(code, 'SecretUnavailable');
        assert.match(message, /"tallyman\/git": the API server has not told it yet \(.*ECONNREFUSED/);
        assert.match(
          String(listPullSecrets().faults[0]?.message),
          /service account "tallyman\/builder": the API server has/,
        );
        await kubernetes.start();
        await waitUntil(() => !isMissing(readSecret, 'git'), { timeoutMs: 60_000 });
      },
      300,
    );
  });
});

function isMissing(readSecret: SecretStore['readSecret'], name: string): boolean {
  try {
    readSecret({ name });
    return false;
  } catch {
    return true;
  }
}
