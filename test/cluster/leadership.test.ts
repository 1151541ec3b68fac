import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesApi } from '../../src/cluster/api.ts';
import { connectCluster } from '../../src/cluster/connect.ts';
import { createLeadership } from '../../src/cluster/leadership.ts';
import type { LeaseObject } from '../../src/cluster/lease.ts';
import { createLeaseStore, type LeaseStore } from '../../src/cluster/lease-store.ts';
import type { Problem } from '../../src/error/problem.ts';
import { deployedRules, grantRights } from '../services/cluster-rights.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';

/** As short as a busy machine bears. */
const timing = { durationMs: 3000, renewDeadlineMs: 2200, retryMs: 250 };
const account = { namespace: 'shop', name: 'tallyman' };
/** Each test has one. */
const leaseNames = Array.from({ length: 20 }, (_, index) => `lease-${index}`);
const rules = deployedRules(['leases'], leaseNames);

/** How often two led at the same time, among all electors of a test. */
interface Record {
  leading: number;
  most: number;
  readonly order: string[];
}

interface Elector {
  readonly leadership: ReturnType<typeof createLeadership>;
  readonly problems: (Problem | undefined)[];
  readonly lines: readonly string[];
  isLeading(): boolean;
  /** Ends it as a crash would: nothing is sent any more. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

describe('createLeadership', () => {
  let kubernetes: TestKubernetes;
  let api: KubernetesApi;
  let used = 0;
  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('shop');
    await kubernetes.apply(grantRights(account, rules, 'shop'));
    api = connectCluster({ kubeconfig: await kubernetes.createKubeconfig(account) });
  });
  after(async () => {
    api?.close();
    await kubernetes?.close();
  });

  function start(
    identity: string,
    record: Record,
    { name = 'unknown', skewMs = 0, wrap = (store: LeaseStore) => store, drainMs = 0 } = {},
  ): Elector {
    const stop = new AbortController();
    const problems: (Problem | undefined)[] = [];
    const lines: string[] = [];
    let [isLeading, isCrashed] = [false, false];
    const whileAlive = (store: LeaseStore): LeaseStore => ({
      read: async (options) => (isCrashed ? assert.fail('dead') : await store.read(options)),
      write: async (lease, options) => (isCrashed ? assert.fail('dead') : await store.write(lease, options)),
    });
    const place = { namespace: 'shop', name };
    const leadership = createLeadership({
      store: whileAlive(wrap(createLeaseStore(api, place))),
      place,
      identity,
      timing,
      clock: {
        wallMs: () => Date.now() + skewMs,
        random: Math.random,
        sleep: (ms, { signal }) => wait(ms, undefined, { signal }).catch(() => undefined),
      },
      elapsedMs: () => performance.now() + skewMs,
      tell: (problem) => problems.push(problem),
      log: { info: (fields, message) => lines.push(`${message} ${JSON.stringify(fields)}`) },
    });
    const lead = async ({ signal }: { signal: AbortSignal }) => {
      isLeading = true;
      record.leading += 1;
      record.most = Math.max(record.most, record.leading);
      record.order.push(identity);
      leadership.check();
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await wait(drainMs);
      isLeading = false;
      record.leading -= 1;
    };
    const done = leadership.run(lead, { signal: stop.signal, address: '10.1.2.3:8080' });
    const end = async () => {
      stop.abort(new Error('stopped'));
      await done;
    };
    return {
      leadership,
      problems,
      lines,
      isLeading: () => isLeading,
      crash: async () => {
        isCrashed = true;
        await end();
      },
      stop: end,
    };
  }

  async function readLease(name: string): Promise<LeaseObject> {
    return JSON.parse(await kubernetes.kubectl(['get', 'lease', name, '-n', 'shop', '-o', 'json']));
  }

  interface Scene {
    readonly lease: string;
    readonly record: Record;
    open(identity: string, options?: Omit<Parameters<typeof start>[2], 'name'>): Elector;
  }

  /** A test with electors of its own, which are ended after it. */
  function scene(name: string, test: (scene: Scene) => Promise<void>): void {
    it(name, async () => {
      const lease = leaseNames[used++] ?? assert.fail('too few names');
      const electors: Elector[] = [];
      const record: Record = { leading: 0, most: 0, order: [] };
      const open: Scene['open'] = (identity, options) => {
        const elector = start(identity, record, { ...options, name: lease });
        electors.push(elector);
        return elector;
      };
      try {
        await test({ lease, record, open });
      } finally {
        await Promise.all(electors.map((elector) => elector.stop()));
      }
      assert.equal(record.most, 1, `two led at once: ${record.order}`);
    });
  }

  describe('where replicas share a Lease', { concurrency: 6 }, () => {
    scene(
      'has one of three that begin together lead, and the others know where it is',
      async ({ lease, open, record }) => {
        const electors = ['a', 'b', 'c'].map((identity) => open(identity));
        await waitUntil(() => electors.every(({ leadership }) => leadership.findLeader() !== undefined));
        await waitUntil(() => electors.filter(({ isLeading }) => isLeading()).length === 1);
        await wait(2 * timing.durationMs);
        assert.equal(record.order.length, 1, 'nobody takes what is renewed');
        const leader = electors.find(({ isLeading }) => isLeading());
        for (const elector of electors) {
          const isLeader = elector === leader;
          const name = record.order[0];
          const found = isLeader ? { kind: 'self' } : { kind: 'other', name, address: '10.1.2.3:8080' };
          assert.deepEqual(elector.leadership.findLeader(), found);
          if (isLeader) elector.leadership.check();
          else assert.throws(() => elector.leadership.check(), { code: 'LeadershipLost' });
          assert.match(elector.lines.join('\n'), isLeader ? /^leading \S+$/ : /^standby \S+$/);
          assert.deepEqual(elector.problems, []);
        }
        const { spec } = await readLease(lease);
        assert.equal(spec?.leaseTransitions, 0);
        assert.match(spec?.renewTime ?? '', /^\d{4}-.*\.\d{6}Z$/);
      },
    );

    scene('has another lead at once where the leader lets go', async ({ lease, open }) => {
      const a = open('a');
      await waitUntil(a.isLeading);
      const b = open('b');
      await waitUntil(() => b.leadership.findLeader()?.kind === 'other');
      const startMs = performance.now();
      await a.stop();
      await waitUntil(b.isLeading);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < timing.durationMs / 2 + 500, `took ${tookMs} ms`);
      assert.equal((await readLease(lease)).spec?.leaseTransitions, 1);
    });

    scene('has another lead when the time of a crashed leader is over, not before', async ({ open }) => {
      const a = open('a');
      await waitUntil(a.isLeading);
      const b = open('b');
      await waitUntil(() => b.leadership.findLeader()?.kind === 'other');
      await a.crash();
      const startMs = performance.now();
      await waitUntil(b.isLeading);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs > timing.durationMs - 1.5 * timing.retryMs, `took ${tookMs} ms`);
      assert.ok(tookMs < timing.durationMs + 3 * timing.retryMs + 1000, `took ${tookMs} ms`);
    });

    for (const skewMs of [3_600_000, -3_600_000])
      scene(`keeps to one where the other's clock is an hour ${skewMs > 0 ? 'ahead' : 'behind'}`, async ({ open }) => {
        const a = open('a');
        await waitUntil(a.isLeading);
        const b = open('b', { skewMs });
        await wait(1.5 * timing.durationMs);
        assert.deepEqual([a.isLeading(), b.isLeading()], [true, false]);
        await a.stop();
        await waitUntil(b.isLeading);
        const c = open('c');
        await wait(1.5 * timing.durationMs);
        assert.deepEqual([b.isLeading(), c.isLeading()], [true, false]);
      });

    scene(
      'stops before the other begins where it cannot reach the API server, says so once, and comes back',
      async ({ open, record }) => {
        let isCut = false;
        const cut = async (signal: AbortSignal, timeoutMs: number): Promise<void> => {
          if (isCut) await wait(timeoutMs, undefined, { signal });
          if (isCut) throw new Error('nothing comes back');
        };
        const wrap = (store: LeaseStore): LeaseStore => ({
          async read(options) {
            await cut(options.signal, options.timeoutMs);
            return await store.read(options);
          },
          async write(lease, options) {
            await cut(options.signal, options.timeoutMs);
            return await store.write(lease, options);
          },
        });
        const a = open('a', { wrap, drainMs: 200 });
        await waitUntil(a.isLeading);
        const b = open('b');
        await waitUntil(() => b.leadership.findLeader()?.kind === 'other');
        isCut = true;
        const under = a.leadership.signal();
        await waitUntil(() => under?.aborted === true);
        assert.throws(() => under?.throwIfAborted(), { code: 'LeadershipLost' });
        assert.throws(() => a.leadership.check(), { code: 'LeadershipLost' });
        assert.equal(b.isLeading(), false);
        await waitUntil(b.isLeading);
        await wait(timing.durationMs);
        assert.equal(a.problems.filter((problem) => problem !== undefined && problem !== a.problems[0]).length, 0);
        isCut = false;
        await waitUntil(() => a.leadership.findLeader()?.kind === 'other');
        assert.equal(a.problems.at(-1), undefined);
        await b.stop();
        await waitUntil(a.isLeading);
        assert.equal(record.order.length, 3);
      },
    );

    scene(
      'leads on where somebody else changes the Lease, and where it is deleted',
      async ({ lease, open, record }) => {
        const a = open('a');
        await waitUntil(a.isLeading);
        const b = open('b');
        await waitUntil(() => b.leadership.findLeader()?.kind === 'other');
        await kubernetes.kubectl(['annotate', 'lease', lease, '-n', 'shop', 'note=kept']);
        await wait(2 * timing.retryMs);
        await kubernetes.kubectl(['delete', 'lease', lease, '-n', 'shop']);
        await wait(1.5 * timing.durationMs);
        assert.deepEqual([a.isLeading(), b.isLeading(), new Set(record.order).size], [true, false, 1]);
        await kubernetes.kubectl(['annotate', 'lease', lease, '-n', 'shop', 'note=kept']);
        await wait(3 * timing.retryMs);
        assert.equal((await readLease(lease)).metadata.annotations?.note, 'kept');
      },
    );

    scene('gives way to who took the Lease by force', async ({ lease, open, record }) => {
      const a = open('a');
      await waitUntil(a.isLeading);
      const patch = JSON.stringify({ spec: { holderIdentity: 'by-hand', leaseDurationSeconds: 2 } });
      await kubernetes.kubectl(['patch', 'lease', lease, '-n', 'shop', '--type=merge', '-p', patch]);
      await waitUntil(() => !a.isLeading());
      assert.equal(record.leading, 0);
      await waitUntil(a.isLeading);
    });

    it('leads nobody where it may not, and says what is missing once', async () => {
      const record: Record = { leading: 0, most: 0, order: [] };
      const a = start('a', record, { name: 'another' });
      await waitUntil(() => a.problems.length > 1);
      await a.stop();
      assert.deepEqual([...new Set(a.problems.map((problem) => problem?.code))], ['ClusterDenied']);
      assert.equal(new Set(a.problems).size, 1);
      assert.equal(record.order.length, 0);
      assert.equal(a.leadership.findLeader(), undefined);
    });

    it('lets anybody write before it runs', () => {
      const place = { namespace: 'shop', name: 'unused' };
      const leadership = createLeadership({
        store: createLeaseStore(api, place),
        place,
        identity: 'x',
        timing,
        clock: { wallMs: Date.now, random: Math.random, sleep: async () => undefined },
        elapsedMs: () => 0,
        tell: () => undefined,
        log: { info: () => undefined },
      });
      leadership.check();
      assert.equal(leadership.signal(), undefined);
    });
  });

  scene('goes on over an outage of the API server that is shorter than its deadline', async ({ open, record }) => {
    const a = open('a');
    await waitUntil(a.isLeading);
    kubernetes.freeze(true);
    await wait(timing.renewDeadlineMs / 4);
    a.leadership.check();
    kubernetes.freeze(false);
    await wait(2 * timing.renewDeadlineMs);
    assert.equal(a.isLeading(), true);
    assert.deepEqual([record.order.length, a.problems.length], [1, 0]);
  });
});
