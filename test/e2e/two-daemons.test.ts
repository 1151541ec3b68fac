/** Two daemons that share their work through one Redis. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { startRedis } from '../services/redis.ts';
import { waitUntil } from '../wait-until.ts';
import { notifyPush, startListening, stop } from './listening.ts';
import { makeApp } from './manifests.ts';
import { until } from './run-program.ts';
import { type Metrics, scrapeUntil } from './scrape.ts';
import { readTree, startWorld, type World } from './world.ts';

const repository = 'acme/web';
const jobsOf = (metrics: Metrics): readonly (number | undefined)[] =>
  ['pass', 'scan'].flatMap((queue) =>
    ['waiting', 'delayed', 'running'].map((state) =>
      metrics.get(`tallyman_queue_jobs{queue="${queue}",state="${state}"}`),
    ),
  );
/** One pass and one scan that come in an hour, and nothing that is due. */
const quiet = [0, 1, 0, 0, 1, 0];
const isQuiet = (metrics: Metrics): boolean => JSON.stringify(jobsOf(metrics)) === JSON.stringify(quiet);

describe('two daemons that share one Redis', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.publish(repository, '1.4.2');
  });
  after(() => world?.close());

  async function openPair(t: TestContext, name: string) {
    const { host } = world.registry;
    const redis = await startRedis({ lines: ['appendonly yes'] });
    t.after(redis.close);
    const bare = world.makeRepo(name, makeApp('web', `${host}/${repository}`, '1.4.2'));
    const settings = { repos: [world.remote(name)], redis: { url: `redis://${redis.host}:${redis.port}` } };
    const first = await startListening(world, `${name}-1`, settings);
    const second = await startListening(world, `${name}-2`, settings);
    for (const { daemon } of [first, second]) t.after(() => void daemon.child.kill('SIGKILL'));
    const said = (): string => first.daemon.said() + second.daemon.said();
    const urls = [first.url, second.url] as const;
    return {
      redis,
      urls,
      said,
      repo: world.git.url(`${name}.git`),
      commits: () => runGit(bare, ['log', '--reverse', '--format=%s', 'main']).split('\n'),
      image: () => readTree(bare)['web/deployment.yaml']?.text ?? '',
      /** Publishes the version and tells those of it; resolves once nothing is due any more. */
      async release(version: string, told: readonly string[]) {
        await world.publish(repository, version);
        for (const url of told)
          assert.deepEqual(await notifyPush(url, { host, repository }), { result: 'accepted', repos: 1 });
        const image = `${host}/${repository}:${version}\n`;
        await until(() => this.image().endsWith(image), said);
        await scrapeUntil(urls, (one, other) => isQuiet(one) && isQuiet(other));
      },
      readiness: () => Promise.all(urls.map(async (url) => (await fetch(`${url}/readyz`)).status)),
      stop: () => Promise.all([stop(first.daemon), stop(second.daemon)]),
    };
  }

  it('commit each version once, whoever is told, and add up in their metrics', async (t) => {
    const pair = await openPair(t, 'shared');
    const { host } = world.registry;
    const [one, other] = pair.urls;
    await pair.release('1.5.0', [one, other]);
    await pair.release('1.6.0', [one]);
    await pair.release('1.7.0', [other]);
    const versions = ['1.4.2 → 1.5.0', '1.5.0 → 1.6.0', '1.6.0 → 1.7.0'];
    assert.deepEqual(
      pair.commits().slice(1),
      versions.map((change) => `shop/web: ${change}`),
    );

    // A pass that is asked for in a moment looks like one that comes in an hour: it may be under way now.
    const all = await scrapeUntil(pair.urls, (...both) => both.every(isQuiet));
    const valuesOf = (name: string): readonly number[] => all.flatMap((metrics) => metrics.get(name) ?? []);
    const sumOf = (name: string): number => valuesOf(name).reduce((sum, value) => sum + value, 0);
    assert.equal(sumOf(`tallyman_updates_total{repo="${pair.repo}",policy="shop/web"}`), 3);
    assert.equal(sumOf(`tallyman_passes_total{repo="${pair.repo}",outcome="committed"}`), 3);
    assert.equal(sumOf(`tallyman_passes_total{repo="${pair.repo}",outcome="failed"}`), 0);
    assert.deepEqual(valuesOf('tallyman_webhook_deliveries_total{hook="images",status="202"}'), [2, 2]);
    assert.equal(Math.max(...valuesOf(`tallyman_policies{repo="${pair.repo}"}`)), 1);
    assert.equal(Math.max(...valuesOf(`tallyman_policies_waiting{repo="${pair.repo}"}`)), 0);
    assert.ok(Math.min(...valuesOf(`tallyman_image_staleness_seconds{image="${host}/${repository}"}`)) < 60);
    assert.deepEqual(
      [...all.flatMap((metrics) => [...metrics.keys()])].filter((key) => /problems|scrape_err/.test(key)),
      [],
    );
    await pair.stop();
  });

  it('are not ready while Redis is away, say so in their metrics, and go on when it is back', async (t) => {
    const pair = await openPair(t, 'away');
    const isReadyAs = async (status: number): Promise<boolean> =>
      (await pair.readiness()).every((found) => found === status);
    assert.ok(await isReadyAs(200));
    const before = pair.commits();
    await pair.redis.kill();
    await waitUntil(() => isReadyAs(503), { tell: pair.said });
    const failed = 'tallyman_scrape_errors_total{source="queues"}';
    const away = await scrapeUntil(pair.urls, (...all) => all.every((metrics) => (metrics.get(failed) ?? 0) > 0));
    assert.deepEqual(
      away.flatMap(jobsOf).filter((count) => count !== undefined),
      [],
    );
    for (const url of pair.urls) assert.equal((await fetch(`${url}/healthz`)).status, 200);
    await pair.redis.start();
    await waitUntil(() => isReadyAs(200), { tell: pair.said });
    await pair.release('1.8.0', pair.urls);
    assert.equal(pair.commits().length, before.length + 1);
    await pair.stop();
  });
});
