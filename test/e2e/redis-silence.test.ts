import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startRedis } from '../services/redis.ts';
import { makeApp } from './manifests.ts';
import { until } from './run-program.ts';
import { startWorld, type World } from './world.ts';

/** Those under way have a second, and one more to be told to Redis. */
const maxStopMs = 5000;

describe('tallyman run, while Redis accepts connections and says nothing', { concurrency: 2 }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.publish('acme/web', '1.4.2');
  });
  after(() => world?.close());

  // Some of them fall into the making of connections, which begins some seconds after the silence.
  for (const silentMs of [0, 2000, 6500])
    it(`ends when told after ${silentMs} ms of it`, async (t) => {
      const own = await startRedis();
      t.after(() => own.close());
      const name = `silent-${silentMs}`;
      world.makeRepo(name, makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
      const settings = { repos: [world.remote(name)], redis: { url: `redis://${own.host}:${own.port}` } };
      const { child, said, finished } = world.start(['run', '--config', world.configure(name, settings)]);
      await until(() => said().includes('"msg":"pass done"'), said);
      own.freeze(true);
      await wait(silentMs);
      const startedMs = Date.now();
      child.kill('SIGTERM');
      const { code } = await finished;
      const tookMs = Date.now() - startedMs;
      assert.equal(code, 0, said());
      assert.match(said(), /"msg":"stopped"/);
      assert.ok(tookMs < maxStopMs, `ended after ${tookMs} ms`);
    });
});
