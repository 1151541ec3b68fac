/** Limits of registry hosts that workers share: two registry clients over one Redis, against one registry. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { HostPace } from '../../src/pipeline/job-ports.ts';
import { createRedisPace } from '../../src/redis/redis-pace.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import { startRedis, type TestRedis } from '../services/redis.ts';
import { type RegistryServerOptions, startRegistryServer } from '../services/registry-server.ts';
import { openTestRedis } from './open-test-redis.ts';

const closes: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closes.reverse()) await close();
});

const { signal } = new AbortController();

function openPace(redis: TestRedis, answerMs?: number): HostPace & { readonly warned: readonly string[] } {
  const link = openTestRedis(redis, answerMs === undefined ? {} : { answerMs });
  closes.push(link.close);
  const warned: string[] = [];
  return { ...createRedisPace(link, { log: { warn: (_, message) => void warned.push(message) } }), warned };
}

async function openScene({ settings = {}, server = {} }: { settings?: HostSettings; server?: RegistryServerOptions }) {
  const redis = await startRedis();
  const registry = await startRegistryServer(server);
  closes.push(redis.close, registry.close);
  registry.publish('acme/web', '1.0.0');
  const repository = { host: registry.host, path: 'acme/web' };
  const open = () => {
    const client = createRegistry({ hosts: () => settings, pace: openPace(redis) });
    closes.push(client.close);
    return {
      list: () => client.listTags(repository, { signal }),
      pull: () => client.fetchManifest(repository, '1.0.0', { signal }),
    };
  };
  return { redis, registry, clients: [open(), open()] as const };
}

describe('host pace in Redis', { concurrency: true }, () => {
  it('holds all workers together to the requests of a second', async () => {
    const times: number[] = [];
    const intercept = (): boolean => {
      times.push(Date.now());
      return false;
    };
    const { clients } = await openScene({ settings: { requestsPerSecond: 5 }, server: { intercept } });
    await Promise.all(clients.flatMap(({ list }) => Array.from({ length: 8 }, list)));
    assert.equal(times.length, 16);
    for (const [index, fromMs] of times.entries()) {
      const inSecond = times.slice(index).filter((ms) => ms < fromMs + 1000).length;
      // A second's requests at once after a quiet time, and those of the second itself; the rest is for a busy machine, which bunches them.
      assert.ok(inSecond <= 14, `${inSecond} requests in the second after ${fromMs}`);
    }
    const tookMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
    // Each for itself would need 400 ms.
    assert.ok(tookMs >= 1000, `16 requests, 6 of them at once, took ${tookMs} ms`);
  });

  it('keeps all away from a host that asked one of them to wait', async () => {
    let isBusy = true;
    const { registry, clients } = await openScene({
      server: {
        intercept: (_, response) => {
          if (isBusy) response.writeHead(429, { 'retry-after': '120' }).end();
          return isBusy;
        },
      },
    });
    const [first, second] = clients;
    await assert.rejects(first.list(), /asks to wait|429/);
    isBusy = false;
    const count = registry.requests.length;
    await assert.rejects(second.list(), /asks to wait 1(?:1\d|20) s more/);
    assert.equal(registry.requests.length, count);
  });

  it('tells all how many pulls are left', async () => {
    const { registry, clients } = await openScene({
      server: {
        intercept: (_, response) => {
          response.setHeader('ratelimit-limit', '100;w=21600').setHeader('ratelimit-remaining', '3;w=21600');
          return false;
        },
      },
    });
    const [first, second] = clients;
    await first.pull();
    const count = registry.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    await assert.rejects(second.pull(), /3 of 100 pulls are left/);
    assert.deepEqual(
      registry.requests.slice(count).map(({ method }) => method),
      ['HEAD'],
    );
  });

  it('lets each go on by its own limits while Redis is away, and says so once', async () => {
    const redis = await startRedis();
    closes.push(redis.close);
    const pace = openPace(redis, 500);
    const question = { origin: 'https://ghcr.io', requestsPerSecond: 5, account: '' };
    assert.notEqual(await pace.enter(question, { signal }), undefined);
    await redis.kill();
    for (const _ of [1, 2, 3]) assert.equal(await pace.enter(question, { signal }), undefined);
    const startMs = Date.now();
    assert.equal(await pace.enter(question, { signal }), undefined);
    await pace.pause(question.origin, 1000);
    assert.ok(Date.now() - startMs < 300, 'without waiting for Redis each time');
    assert.equal(pace.warned.length, 1);
  });

  it('takes what it did not write for nothing', async () => {
    const redis = await startRedis();
    closes.push(redis.close);
    const pace = openPace(redis);
    const question = { origin: 'https://ghcr.io', requestsPerSecond: 5, account: '' };
    const pulls = { left: 1, limit: 2, windowMs: 60_000 };
    await pace.notePulls(question, pulls);
    const [key = ''] = await redis.client.keys('*:pulls:*');
    for (const text of ['null', '{', '7', '', '{"left":"1","limit":2,"windowMs":3}']) {
      await redis.client.set(key, text, 'PX', 60_000);
      assert.equal((await pace.enter(question, { signal }))?.pulls, undefined, text);
    }
    await pace.notePulls(question, { ...pulls, limit: undefined });
    assert.equal((await pace.enter(question, { signal }))?.pulls?.left, 1);
    const slot = '{tallyman}:pace:https://ghcr.io:slot';
    for (const text of ['inf', 'nan', '-inf', 'x', '', String(Date.now() + 86_400_000)]) {
      await redis.client.set(slot, text, 'PX', 3_600_000);
      assert.equal((await pace.enter(question, { signal }))?.waitMs, 0, text);
    }
    assert.deepEqual(pace.warned, []);
  });

  it('never makes a pause shorter, and ends it', async () => {
    const redis = await startRedis();
    closes.push(redis.close);
    const pace = openPace(redis);
    const question = { origin: 'https://ghcr.io', requestsPerSecond: undefined, account: '' };
    await pace.pause(question.origin, 60_000);
    await pace.pause(question.origin, 1000);
    const paused = await pace.enter(question, { signal });
    assert.ok((paused?.pausedMs ?? 0) > 50_000, JSON.stringify(paused));
    await pace.pause('https://quay.io', 200);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await pace.enter({ ...question, origin: 'https://quay.io' }, { signal }))?.pausedMs, 0);
    const ttls = await Promise.all((await redis.client.keys('*')).map((key) => redis.client.pttl(key)));
    assert.ok(
      ttls.every((ttl) => ttl > 0),
      'nothing is kept for ever',
    );
  });
});
