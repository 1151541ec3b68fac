import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AnswerStore } from '../../src/pipeline/job-ports.ts';
import { unpackListing } from '../../src/pipeline/pack-listing.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { createRedisAnswers } from '../../src/redis/redis-answers.ts';
import { testAnswerStore } from '../contracts/answer-store-contract.ts';
import { fakeRegistry, listingOf, testClock } from '../pipeline/fake-registry.ts';
import { startRedis, type TestRedis, type TestRedisOptions } from '../services/redis.ts';
import { openTestRedis } from './open-test-redis.ts';

const { signal } = new AbortController();
const closes: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closes.reverse()) await close();
});

async function serve(options: TestRedisOptions = {}): Promise<TestRedis> {
  const redis = await startRedis(options);
  closes.push(redis.close);
  return redis;
}

type Opened = AnswerStore & { readonly warned: readonly string[] };

function openStore(redis: TestRedis, more: Parameters<typeof openTestRedis>[1] = {}): Opened {
  const link = openTestRedis(redis, { answerMs: 2000, ...more });
  closes.push(link.close);
  const warned: string[] = [];
  return { ...createRedisAnswers(link, { log: { warn: (_, message) => void warned.push(message) } }), warned };
}

const user = { username: 'tally', password: 'secret' };
let redis: TestRedis;
let stores: { store: Opened; other: Opened };
before(async () => {
  redis = await serve({ user });
  const credential = () => user;
  stores = { store: openStore(redis, { credential }), other: openStore(redis, { credential }) };
});

testAnswerStore('Redis', () => stores);

/** Two workers over one Redis, with tags that tests change. */
function openWorkers(server: TestRedis) {
  const clock = testClock(Date.now());
  const tags = ['1.0.0'];
  const openWorker = () => {
    const store = openStore(server, { answerMs: 500 });
    const registry = fakeRegistry({ listTags: async () => listingOf(...tags) });
    const times = { intervalMs: 60_000, maxIntervalMs: 300_000 };
    const poller = createImagePoller(registry, { ...times, concurrency: 4, refreshed: true, clock, store, signal });
    const repository = { host: 'ghcr.io', path: 'acme/web' };
    const question = { repository, pushTimes: false };
    const look = async () => {
      const answer = await poller.tags.look(question);
      return 'value' in answer ? unpackListing(answer.value).tags.join(' ') : String(answer.error);
    };
    const expect = () => poller.expect(({ path }) => path === repository.path);
    return { look, expect, refresh: () => poller.tags.refresh(question), asked: registry.asked, store };
  };
  return { tags, a: openWorker(), b: openWorker() };
}

describe('shared answers in Redis', { concurrency: true }, () => {
  it('lets one worker decide by what another found, and ask where another was told of something new', async () => {
    const { tags, a, b } = openWorkers(await serve());
    assert.equal(await b.look(), '1.0.0');
    tags.push('1.1.0');
    await a.expect();
    await a.refresh();
    assert.equal(await b.look(), '1.0.0 1.1.0');
    assert.deepEqual([a.asked.length, b.asked.length], [1, 1]);
    tags.push('1.2.0');
    assert.equal((await a.expect()).length, 1);
    assert.equal(await b.look(), '1.0.0 1.1.0 1.2.0');
    assert.equal(await a.look(), '1.0.0 1.1.0 1.2.0');
    assert.deepEqual([a.asked.length, b.asked.length], [1, 2]);
  });

  it('lets each go on while Redis is away, says so once, and shares again when it is back', async () => {
    const server = await serve();
    const { tags, a, b } = openWorkers(server);
    assert.equal(await a.look(), '1.0.0');
    await server.kill();
    assert.equal(await a.look(), '1.0.0');
    assert.equal(await b.look(), '1.0.0');
    const startMs = performance.now();
    tags.push('1.1.0');
    await a.expect();
    assert.equal(await a.look(), '1.0.0 1.1.0');
    assert.ok(performance.now() - startMs < 300, 'without waiting for Redis each time');
    assert.deepEqual([a.store.warned.length, b.store.warned.length], [1, 1]);
    await server.start();
    for (const endMs = Date.now() + 20_000; Date.now() < endMs && (await server.client.dbsize()) === 0; ) {
      await a.look();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const endMs = Date.now() + 20_000; Date.now() < endMs && (await b.look()) !== '1.0.0 1.1.0'; )
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await b.look(), '1.0.0 1.1.0');
    assert.deepEqual([a.asked.length, b.asked.length], [2, 1]);
  });

  it('puts right what is at its keys and is none of its', async () => {
    const server = await serve();
    const { tags, a, b } = openWorkers(server);
    await a.look();
    await b.look();
    const keys = await server.client.keys('*');
    assert.equal(keys.length, 2);
    tags.push('1.1.0');
    await a.expect();
    await a.refresh();
    for (const key of [...keys, '{tallyman}:expected:ghcr.io/acme/web']) {
      await server.client.del(key);
      await server.client.lpush(key, 'odd');
    }
    assert.equal(await b.look(), '1.0.0');
    await a.look();
    assert.equal(await b.look(), '1.0.0 1.1.0');
    assert.equal((await a.expect()).length, 1);
    await server.client.set('{tallyman}:expected:ghcr.io/acme/web', 'odd');
    assert.equal(await b.look(), '1.0.0 1.1.0');
    assert.deepEqual([a.store.warned, b.store.warned], [[], []]);
  });

  it('forgets all of it by itself, two days after somebody wanted it', async () => {
    const server = await serve();
    const { a } = openWorkers(server);
    await a.look();
    await a.expect();
    const [answer, expected] = ['{tallyman}:answer:tags ghcr.io/acme/web', '{tallyman}:expected:ghcr.io/acme/web'];
    for (const key of [answer, expected]) {
      const leftMs = await server.client.pttl(key);
      assert.ok(leftMs > 47 * 3_600_000 && leftMs <= 48 * 3_600_000, `${key}: ${leftMs}`);
    }
    await server.client.pexpire(answer, 1000);
    await server.client.zadd('{tallyman}:answer-repositories', String(Date.now() - 49 * 3_600_000), 'ghcr.io/acme/old');
    await a.refresh();
    assert.ok((await server.client.pttl(answer)) <= 1000, 'a scan alone is no use');
    await a.look();
    assert.ok((await server.client.pttl(answer)) > 47 * 3_600_000);
    assert.deepEqual(await server.client.zrange('{tallyman}:answer-repositories', 0, '-1'), ['ghcr.io/acme/web']);
  });
});
