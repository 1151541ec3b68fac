/** What becomes of jobs and the ledger where Sentinels, or the nodes of a cluster, put the replica in the place of the primary. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { JobOutcome, JobQueue, JobRequest, Ledger, RunJob } from '../../src/pipeline/job-ports.ts';
import type { RedisPlace } from '../../src/redis/open-redis.ts';
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import type { TestRedis } from '../services/redis.ts';
import { startRedisCluster } from '../services/redis-cluster.ts';
import { sentinelName, startWatchedPair } from '../services/redis-sentinel.ts';
import { waitUntil } from '../wait-until.ts';
import { openTestLedger, openTestRedis } from './open-test-redis.ts';

const closes: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closes.reverse()) await close();
});

const hourMs = 3_600_000;
const { signal } = new AbortController();
const repository = 'ghcr.io/acme/web';
const digest = `sha256:${'ab'.repeat(32)}`;
const add = (subject: string, delayMs = 0): JobRequest => ({ subject, delayMs, urgent: false });
const look = (tag: string, nowMs: number) => ({ sightings: [{ tag, digest }], nowMs });

async function openPair() {
  const pair = await startWatchedPair();
  closes.push(pair.close);
  const nodes = pair.sentinels.map(({ port }) => ({ host: pair.primary.host, port }));
  const place = { kind: 'sentinel', master: sentinelName, nodes, credential: undefined } as const;
  return { pair, ...open(pair.primary, place) };
}

function open(first: TestRedis, place: RedisPlace) {
  const link = openTestRedis(first, { place, answerMs: 1000 });
  const queue = createRedisQueue(link, { name: 'scan' });
  closes.push(link.close, queue.close);
  return { link, queue, ledger: openTestLedger(link) };
}

/** Jobs that end when the test says so, but for those that it has ended before. */
function work(queue: JobQueue) {
  const begun: string[] = [];
  const ends = new Map<string, (outcome: JobOutcome) => void>();
  const abort = new AbortController();
  const run: RunJob = ({ subject }, { signal }) => {
    begun.push(subject);
    return new Promise((resolve, reject) => {
      ends.set(subject, resolve);
      signal.addEventListener('abort', reject);
    });
  };
  const done = queue.work(run, { signal: abort.signal, concurrency: 2, drainMs: 0 });
  closes.push(async () => {
    abort.abort();
    await done;
  });
  const end = async (subject: string, againMs?: number): Promise<void> => {
    await waitUntil(() => ends.has(subject), { tell: () => `${subject} has begun` });
    ends.get(subject)?.({ againMs });
  };
  return { begun, end };
}

/** Asks for both again and again until both answer; what it was told meanwhile. */
async function askUntilBothAnswer(queue: JobQueue, ledger: Ledger): Promise<readonly unknown[]> {
  const told: unknown[] = [];
  const answers = async (ask: () => Promise<unknown>): Promise<boolean> => {
    try {
      await ask();
      return true;
    } catch (error) {
      told.push(error);
      return false;
    }
  };
  await waitUntil(async () => {
    const all = [
      () => queue.add([add('asked', hourMs)], { signal }),
      () => queue.count({ signal }),
      () => ledger.read(repository, { signal }),
      () => ledger.record(repository, look('1.1.0', 500), { signal }),
    ];
    return (await Promise.all(all.map(answers))).every(Boolean);
  });
  return told;
}

/** It was away for a moment, and that was all. */
function assertTold(told: readonly unknown[]): void {
  assert.ok(told.length > 0);
  const others = told.filter((error) => !(error instanceof TallymanError && error.disposition === 'retry'));
  assert.deepEqual(others, []);
}

interface Outage {
  begin(primary: TestRedis): Promise<void>;
  end(primary: TestRedis): Promise<void>;
}

const outages: Record<string, Outage> = {
  'is killed': { begin: (primary) => primary.kill(), end: (primary) => primary.start() },
  hangs: { begin: async (primary) => primary.freeze(true), end: async (primary) => primary.freeze(false) },
};

const roleOf = async ({ client }: TestRedis): Promise<string> => String((await client.role())[0]);

describe('failover by Sentinels', { concurrency: true }, () => {
  for (const [what, outage] of Object.entries(outages))
    it(`goes on with the replica, with all that it has, where the primary ${what}`, async () => {
      const { pair, link, queue, ledger } = await openPair();
      const { begun, end } = work(queue);
      await queue.add([add('over'), add('again')], { signal });
      await end('over');
      await end('again', hourMs);
      await queue.add([add('running'), add('soon', 3000), add('later', hourMs)], { signal });
      await waitUntil(() => begun.includes('running'));
      await ledger.record(repository, look('1.0.0', 100), { signal });
      await waitUntil(async () => (await queue.count({ signal })).running === 1);
      await pair.replicate();

      await outage.begin(pair.primary);
      await end('running', hourMs);
      assertTold(await askUntilBothAnswer(queue, ledger));
      assert.equal(await roleOf(pair.replica), 'master');

      await end('soon');
      const known = await ledger.read(repository, { signal });
      assert.deepEqual([...known].map(([tag, { seenMs }]) => [tag, seenMs]).sort(), [
        ['1.0.0', 100],
        ['1.1.0', 500],
      ]);
      let last = '';
      const counted = async (): Promise<string> => (last = JSON.stringify(await queue.count({ signal })));
      // Those that were told to run again, the one that waits, and the one that was added meanwhile.
      const wanted = JSON.stringify({ waiting: 0, delayed: 4, running: 0, oldestMs: 0 });
      await waitUntil(async () => (await counted()) === wanted, { tell: () => last });
      assert.deepEqual(begun.sort(), ['again', 'over', 'running', 'soon']);

      await outage.end(pair.primary);
      await waitUntil(async () => (await roleOf(pair.primary)) === 'slave');
      await queue.add([add('last')], { signal });
      await end('last');
      assert.deepEqual(
        link.logged.map((line) => line.replace(/ \{.*/, '').replace(/: .*;/, ';')),
        ['warn cannot reach Redis; it is tried again by itself', 'info Redis is reachable again'],
      );
    });

  it('leaves a primary that was made a replica by hand, though it keeps the connections', async () => {
    const { pair, link, queue, ledger } = await openPair();
    const { end } = work(queue);
    await queue.add([add('before', hourMs)], { signal });
    await ledger.record(repository, look('1.0.0', 100), { signal });
    await pair.replicate();
    await pair.exchange();
    assert.equal(await roleOf(pair.primary), 'slave');
    assertTold(await askUntilBothAnswer(queue, ledger));
    await queue.add([add('soon')], { signal });
    await end('soon');
    assert.deepEqual([...(await ledger.read(repository, { signal })).keys()].sort(), ['1.0.0', '1.1.0']);
    assert.equal((await queue.count({ signal })).delayed, 2);
    assert.deepEqual(link.logged, []);
  });
});

describe('failover of a cluster', () => {
  it('goes on with the replica, with all that it has, where the node that has the keys is killed', async () => {
    const cluster = await startRedisCluster();
    closes.push(cluster.close);
    const { queue, ledger } = open(cluster.owner, { kind: 'cluster', nodes: cluster.others.slice(0, 1) });
    const { begun, end } = work(queue);
    await queue.add([add('running'), add('soon', 3000)], { signal });
    await waitUntil(() => begun.includes('running'));
    await ledger.record(repository, look('1.0.0', 100), { signal });
    await cluster.replicate();
    await cluster.owner.kill();
    await end('running', hourMs);
    assertTold(await askUntilBothAnswer(queue, ledger));
    assert.equal(await roleOf(cluster.replica), 'master');
    await end('soon');
    assert.deepEqual([...(await ledger.read(repository, { signal })).keys()].sort(), ['1.0.0', '1.1.0']);
    await waitUntil(async () => (await queue.count({ signal })).delayed === 2);
    assert.deepEqual(begun, ['running', 'soon']);
  });
});
