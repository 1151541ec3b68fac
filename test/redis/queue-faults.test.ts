/** What the queue does when Redis or a worker fails. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { JobOutcome, JobQueue, JobRequest, RunningJob } from '../../src/pipeline/job-ports.ts';
import type { RedisSettings } from '../../src/redis/open-redis.ts';
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import { until } from '../contracts/job-queue-contract.ts';
import { startRedis, type TestRedis, type TestRedisOptions } from '../services/redis.ts';
import { endProcess } from '../services/server-process.ts';
import { openTestRedis } from './open-test-redis.ts';

const closes: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closes.reverse()) await close();
});

const never: JobOutcome = { againMs: undefined };
const add = (subject: string, more: Partial<JobRequest> = {}): JobRequest => ({
  subject,
  delayMs: 0,
  urgent: false,
  ...more,
});
const signal = new AbortController().signal;
const name = 'scan';

async function serve(options: TestRedisOptions = {}): Promise<TestRedis> {
  const redis = await startRedis(options);
  closes.push(redis.close);
  return redis;
}

function openQueue(redis: TestRedis, { lockMs = 15_000, ...more }: Partial<RedisSettings> & { lockMs?: number } = {}) {
  const link = openTestRedis(redis, more);
  const queue = createRedisQueue(link, { name, lockMs });
  closes.push(link.close, queue.close);
  return queue;
}

/** Works with it; what has begun, and how it ends. */
function work(queue: JobQueue, run: (job: RunningJob) => Promise<JobOutcome> = async () => never) {
  const begun: RunningJob[] = [];
  const abort = new AbortController();
  const done = queue.work(
    (job) => {
      begun.push(job);
      return run(job);
    },
    { signal: abort.signal, concurrency: 2, drainMs: 0 },
  );
  const stop = async (): Promise<void> => {
    abort.abort();
    await done;
  };
  closes.push(stop);
  return { begun, stop };
}

/** Adds until it is taken: what the top-up of a worker does. */
async function insist(queue: JobQueue, job: JobRequest): Promise<void> {
  await until(async () => {
    try {
      await queue.add([job], { signal });
      return true;
    } catch (error) {
      assert.ok(error instanceof TallymanError && error.code === 'QueueUnavailable', String(error));
      return false;
    }
  }, 'it is added');
}

describe('a worker that stood still for longer than its lock lasts', () => {
  it('works on nothing twice at the same time', { timeout: 60_000 }, async () => {
    const redis = await serve();
    const queue = openQueue(redis, { lockMs: 1000 });
    let [underWay, most] = [0, 0];
    const { begun } = work(queue, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      if (begun.length === 1) {
        await wait(200);
        for (const endMs = performance.now() + 3000; performance.now() < endMs; );
      }
      // Long enough to be given it again meanwhile.
      await wait(4000);
      underWay -= 1;
      return never;
    });
    await queue.add([add('a')], { signal });
    await until(() => begun.length > 0 && underWay === 0, 'no run under way');
    assert.equal(most, 1);
  });
});

describe('queue in Redis', { concurrency: 4 }, () => {
  it('has another worker run the job of one that was killed', async () => {
    const redis = await serve();
    const queue = openQueue(redis, { lockMs: 500 });
    const args = ['--import', 'tsx', 'test/redis/queue-worker.ts', String(redis.port), name, '500'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    closes.push(() => endProcess(child, 'SIGKILL'));
    await queue.add([add('a')], { signal });
    const [line] = await once(child.stdout, 'data');
    assert.equal(String(line), 'a\n');
    const { begun } = work(queue);
    await queue.add([add('a', { urgent: true })], { signal });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(begun, [], 'as long as it lives, its job is its own');
    await endProcess(child, 'SIGKILL');
    await until(() => begun.length === 2, 'it runs here, and again as was asked for meanwhile');
    assert.deepEqual(new Set(begun.map(({ subject }) => subject)), new Set(['a']));
    await until(async () => (await queue.count({ signal })).running === 0, 'it ends');
  });

  it('goes on where Redis was killed and comes back empty', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    const { begun } = work(queue);
    await queue.add([add('a')], { signal });
    await until(() => begun.length === 1, 'it runs');
    await redis.kill();
    const startMs = Date.now();
    const failed = queue.add([add('b')], { signal });
    await assert.rejects(failed, (error: TallymanError) => error.code === 'QueueUnavailable');
    await assert.rejects(queue.count({ signal }), (error: TallymanError) => error.code === 'QueueUnavailable');
    assert.ok(Date.now() - startMs < 15_000, `${Date.now() - startMs} ms`);
    await redis.start();
    await insist(queue, add('b', { ifAbsent: true }));
    await until(() => begun.some(({ subject }) => subject === 'b'), 'it runs after Redis is back');
  });

  it('loses no outcome where Redis is away for a moment', async () => {
    const redis = await serve();
    const queue = openQueue(redis, { answerMs: 1000 });
    let end = (_: JobOutcome): void => {};
    const { begun } = work(queue, () => new Promise((resolve) => (end = resolve)));
    await queue.add([add('a')], { signal });
    await until(() => begun.length === 1, 'it runs');
    redis.freeze(true);
    end({ againMs: 10 });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    redis.freeze(false);
    await until(() => begun.length === 2, 'it runs again');
    end(never);
  });

  it('goes on after a flush', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    const { begun } = work(queue);
    await queue.add([add('a'), add('later', { delayMs: 3_600_000 })], { signal });
    await until(() => begun.length === 1, 'it runs');
    await redis.client.flushall();
    assert.deepEqual(await queue.count({ signal }), { waiting: 0, delayed: 0, running: 0, oldestMs: 0 });
    await queue.add([add('a', { ifAbsent: true }), add('later', { ifAbsent: true })], { signal });
    await until(() => begun.length === 3, 'both run');
  });

  it('keeps the outcome of a job that runs while Redis is flushed', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    let end = (_: JobOutcome): void => {};
    const { begun } = work(queue, () => new Promise((resolve) => (end = resolve)));
    await queue.add([add('a')], { signal });
    await until(() => begun.length === 1, 'it runs');
    await redis.client.flushall();
    end({ againMs: 50 });
    await until(() => begun.length === 2, 'it runs again');
    end(never);
  });

  for (const score of ['+inf', '-inf'] as const)
    it(`gets over a time of ${score}`, async () => {
      const redis = await serve();
      const queue = openQueue(redis);
      await queue.add([add('a', { delayMs: 3_600_000 }), add('b', { delayMs: 3_600_000 })], { signal });
      const due = `{tallyman}:${name}:due`;
      for (const id of await redis.client.zrange(due, '0', '-1'))
        await redis.client.call('ZADD', due, score, String(id));
      assert.equal((await queue.count({ signal })).oldestMs, 0);
      const { begun } = work(queue);
      await queue.add([add('a', { urgent: true }), add('b', { urgent: true })], { signal });
      await until(() => begun.length === 2, 'both run');
      assert.ok(begun.every(({ dueMs }) => Number.isFinite(dueMs)));
    });

  it('sets an alarm again that was lost on its way', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    await queue.add([add('a'), add('b', { delayMs: 3_600_000 })], { signal });
    const keys = await redis.client.keys('{tallyman}:scan:*');
    const books = ['wishes', 'due', 'running'].map((key) => `{tallyman}:scan:${key}`);
    await redis.client.del(...keys.filter((key) => !books.includes(key)));
    const { begun } = work(queue);
    await queue.add([add('a', { ifAbsent: true }), add('b', { ifAbsent: true })], { signal });
    await until(() => begun.length === 1, 'it runs');
    assert.equal((await queue.count({ signal })).delayed, 1);
  });

  it('sets an alarm again whose list was lost', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    await queue.add([add('a'), add('b', { urgent: true }), add('c', { delayMs: 3_600_000 }), add('kept')], { signal });
    const kept = await redis.client.zrange('{tallyman}:scan:prioritized', '1', '1');
    await redis.client.del(...['prioritized', 'wait', 'delayed'].map((key) => `{tallyman}:scan:${key}`));
    await redis.client.zadd('{tallyman}:scan:prioritized', '1', String(kept[0]));
    for (const id of await redis.client.zrange('{tallyman}:scan:due', '0', '2'))
      await redis.client.zadd('{tallyman}:scan:due', String(Date.now() - 61_000), id);
    const { begun } = work(queue);
    const subjects = ['a', 'b', 'c', 'kept'];
    await queue.add(
      subjects.map((subject) => add(subject, { ifAbsent: true })),
      { signal },
    );
    await until(() => begun.length === 3, 'all that is due runs');
    assert.deepEqual(begun.map(({ subject }) => subject).sort(), ['a', 'b', 'kept']);
    assert.equal(await redis.client.zcard('{tallyman}:scan:delayed'), 1);
  });

  it('takes a wish that is damaged for none', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    const subjects = ['a', 'b', 'c', 'd'];
    const all = subjects.map((subject) => add(subject, { ifAbsent: true }));
    await queue.add(all, { signal });
    const ids = await redis.client.hkeys('{tallyman}:scan:wishes');
    for (const [index, text] of ['x{', 'null', '{"s":7}'].entries()) {
      await redis.client.hset('{tallyman}:scan:wishes', String(ids[index]), text);
      await redis.client.hset('{tallyman}:scan:running', String(ids[index]), text);
    }
    await queue.add(all, { signal });
    const { begun } = work(queue);
    await until(() => begun.length === 4, 'all run');
    assert.deepEqual(begun.map(({ subject }) => subject).sort(), subjects);
    await until(async () => (await queue.count({ signal })).running === 0, 'nothing is left');
  });

  it('does not count what takes nothing', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    await queue.count({ signal });
    await redis.client.config('SET', 'maxmemory', '1');
    await assert.rejects(queue.count({ signal }), (error: TallymanError) => error.code === 'QueueUnavailable');
    await redis.client.config('SET', 'maxmemory', '0');
    await queue.count({ signal });
  });

  it('ends its work at once while Redis is away', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    const { begun, stop } = work(queue);
    await queue.add([add('a')], { signal });
    await until(() => begun.length === 1, 'it runs');
    await redis.kill();
    const startMs = Date.now();
    await stop();
    assert.ok(Date.now() - startMs < 12_000, `${Date.now() - startMs} ms`);
  });

  it('begins to work where Redis comes later', async () => {
    const redis = await serve();
    await redis.kill();
    const queue = openQueue(redis);
    const { begun } = work(queue);
    await redis.start();
    await insist(queue, add('a'));
    await until(() => begun.length === 1, 'it runs');
  });

  it('shares jobs, none of them twice, and leaves nothing behind in Redis', async () => {
    const redis = await serve();
    const queue = openQueue(redis);
    const workers = [work(queue), work(openQueue(redis)), work(openQueue(redis))];
    const subjects = Array.from({ length: 600 }, (_, index) => `s${index}`);
    for (const round of [0, 1]) {
      await queue.add(
        subjects.map((subject) => add(subject, { urgent: round === 1 })),
        { signal },
      );
      const numbers = async (): Promise<boolean> => {
        const { waiting, running } = await queue.count({ signal });
        return waiting + running === 0;
      };
      await until(numbers, 'all have run');
    }
    const begun = workers.flatMap((worker) => worker.begun.map(({ subject }) => subject));
    assert.equal(begun.length, 1200);
    assert.ok(workers.every((worker) => worker.begun.length > 0));
    for (const { stop } of workers) await stop();
    const keys = (await redis.client.keys('*')).sort();
    const left = ['events', 'id', 'meta', 'pc', 'marker', 'stalled-check', 'stalled'].map(
      (key) => `{tallyman}:scan:${key}`,
    );
    assert.deepEqual(
      keys.filter((key) => !left.includes(key)),
      [],
    );
    const events = await redis.client.xlen('{tallyman}:scan:events');
    assert.ok(events <= 300, `${events} events`);
  });

  it('needs no right that it does not ask for', async () => {
    const user = { username: 'tally', password: 'secret' };
    const queue = openQueue(await serve({ user }), { credential: () => user });
    const { begun } = work(queue);
    await queue.add([add('a'), add('b', { delayMs: 100 })], { signal });
    await until(() => begun.length === 2, 'both run');
  });

  it('works in a cluster', async () => {
    const redis = await serve({ cluster: true });
    const queue = openQueue(redis, { place: { kind: 'cluster', nodes: [redis] } });
    const { begun } = work(queue);
    await queue.add([add('a'), add('b', { delayMs: 100 })], { signal });
    await until(() => begun.length === 2, 'both run');
    await redis.kill();
    await redis.start();
    await insist(queue, add('c'));
    await until(() => begun.length === 3, 'it runs after the node is back');
  });
});
