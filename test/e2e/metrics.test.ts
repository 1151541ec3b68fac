import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { startListening, stop } from './listening.ts';
import { makeApp } from './manifests.ts';
import { type Metrics, scrapeUntil } from './scrape.ts';
import { startWorld, type World } from './world.ts';

describe('metrics of the daemon', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.publish('acme/web', '1.4.2');
  });
  after(() => world?.close());

  it('tell updates, queues and staleness, and go on while the registry is down', async () => {
    const { host } = world.registry;
    const bare = world.makeRepo('metrics', makeApp('web', `${host}/acme/web`, '1.4.2'));
    const settings = { repos: [world.remote('metrics')], intervalSeconds: 1, maxIntervalSeconds: 1 };
    const { daemon, url } = await startListening(world, 'metrics', settings);
    const repo = world.git.url('metrics.git');
    const scrapeThisUntil = async (holds: (values: Metrics) => boolean) =>
      (await scrapeUntil([url] as const, holds))[0];
    const updates = `tallyman_updates_total{repo="${repo}",policy="shop/web"}`;
    const staleness = `tallyman_image_staleness_seconds{image="${host}/acme/web"}`;
    const failed = `tallyman_scans_total{host="${host}",outcome="failed"}`;

    const first = await scrapeThisUntil((values) => values.has(staleness));
    assert.equal(first.get(updates), undefined);
    assert.equal(first.get(`tallyman_policies{repo="${repo}"}`), 1);
    assert.equal(first.get(failed), undefined);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.equal(first.get(`tallyman_build_info{version="${version}"}`), 1);

    await world.publish('acme/web', '1.5.0');
    const later = await scrapeThisUntil((values) => values.has(updates));
    assert.equal(later.get(updates), 1);
    assert.equal(later.get(`tallyman_passes_total{repo="${repo}",outcome="committed"}`), 1);
    assert.equal(later.get(`tallyman_seen_to_commit_seconds_count{repo="${repo}"}`), 1);
    assert.ok((later.get(staleness) ?? 99) < 10);
    const jobs = ['waiting', 'delayed', 'running'].map((state) =>
      later.get(`tallyman_queue_jobs{queue="pass",state="${state}"}`),
    );
    assert.equal(
      jobs.reduce((sum: number, count) => sum + (count ?? Number.NaN), 0),
      1,
    );
    assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '2');

    await world.registry.close();
    const down = await scrapeThisUntil(
      (values) =>
        (values.get(failed) ?? 0) > 0 && values.has(`tallyman_problems{repo="${repo}",code="RegistryUnavailable"}`),
    );
    const stale = await scrapeThisUntil((values) => (values.get(staleness) ?? 0) > (down.get(staleness) ?? 0) + 1);
    assert.ok((stale.get(`tallyman_registry_events_total{host="${host}",event="retry"}`) ?? 0) > 0);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    await stop(daemon);
  });
});
