import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createImageLookup, type ImageLookup } from '../../src/pipeline/look-up-images.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { fakeRegistry, hang, listingOf, testClock, unavailable } from './fake-registry.ts';

const { signal } = new AbortController();
const listing = listingOf('1.0.0');
const repositoriesOn = (host: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ repository: { host, path: `app-${index}` }, pushTimes: false }));

interface Settings {
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Without a poller that remembers. */
function openLookup(registry: Registry, options: Settings): ImageLookup {
  const poller = createImagePoller(registry, { ...options, intervalMs: 0, maxIntervalMs: 0, clock: testClock() });
  return createImageLookup({ registry, poller }, options);
}

function registryThat(listTags: Registry['listTags']): { registry: Registry; asked: string[] } {
  const registry = fakeRegistry({ listTags });
  return { registry, asked: registry.asked };
}

describe('createImageLookup', () => {
  it('asks each question once, and remembers failures too', async () => {
    const { registry, asked } = registryThat(async ({ path }) => {
      if (path === 'app-1') throw unavailable;
      return listing;
    });
    const lookup = openLookup(registry, { concurrency: 4, timeoutMs: 1000, signal });
    const repositories = repositoriesOn('a.example', 3);
    await lookup.listTags([...repositories, ...repositories]);
    await lookup.listTags(repositories);
    assert.equal(asked.length, 3);
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-0' }), { value: listing });
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-1' }), { error: unavailable });
  });

  it('gives a silent host up after one round, and lets no other host wait for it', async () => {
    const { registry, asked } = registryThat((repository, options) =>
      repository.host === 'dead.example' ? hang(repository, options) : Promise.resolve(listing),
    );
    const lookup = openLookup(registry, { concurrency: 2, timeoutMs: 20, signal });
    await lookup.listTags([...repositoriesOn('dead.example', 50), ...repositoriesOn('good.example', 5)]);
    assert.ok(asked.filter((name) => name.startsWith('list dead')).length <= 4);
    assert.equal(asked.filter((name) => name.startsWith('list good')).length, 5);
    const last = lookup.tagsOf({ host: 'dead.example', path: 'app-49' });
    assert.ok('error' in last && last.error instanceof TallymanError && last.error.code === 'RegistryUnavailable');
  });

  it('gives a host up though some of its answers come', async () => {
    const { registry, asked } = registryThat(async ({ path }) => {
      if (Number(path.slice(4)) % 2 === 0) throw unavailable;
      return listing;
    });
    await openLookup(registry, { concurrency: 2, timeoutMs: 1000, signal }).listTags(repositoriesOn('a.example', 40));
    assert.ok(asked.length < 8, `${asked.length} asked`);
  });

  it('leaves nothing hooked to a signal that lives as long as the daemon', async () => {
    const { registry } = registryThat(async () => listing);
    const daemon = new AbortController();
    for (let pass = 0; pass < 20; pass += 1) {
      const lookup = openLookup(registry, { concurrency: 4, timeoutMs: 1000, signal: daemon.signal });
      await lookup.listTags(repositoriesOn('a.example', 20));
    }
    assert.equal(getEventListeners(daemon.signal, 'abort').length, 0);
  });

  it('ends at once with the reason where the daemon is stopped', async () => {
    const { registry } = registryThat(hang);
    const daemon = new AbortController();
    const lookup = openLookup(registry, { concurrency: 4, timeoutMs: 60_000, signal: daemon.signal });
    const asking = lookup.listTags(repositoriesOn('a.example', 20));
    daemon.abort(new Error('stopped'));
    await assert.rejects(asking, /stopped/);
  });

  it('asks for push times and platforms where one of those who ask wants them', async () => {
    const { registry, asked } = registryThat(async () => listing);
    const lookup = openLookup(registry, { concurrency: 4, timeoutMs: 1000, signal });
    const repository = { host: 'a.example', path: 'app' };
    await lookup.listTags([
      { repository, pushTimes: false },
      { repository, pushTimes: true },
    ]);
    await lookup.fetchManifests([true, false, true].map((platforms) => ({ repository, tag: '1.0.0', platforms })));
    assert.deepEqual(asked, [
      'list a.example/app times',
      'get a.example/app:1.0.0 platforms',
      'get a.example/app:1.0.0',
    ]);
  });

  it('does not give a host up for failures of earlier passes', async () => {
    let fails = true;
    const registry = fakeRegistry({
      listTags: ({ path }) => (fails && path !== 'app-9' ? Promise.reject(unavailable) : Promise.resolve(listing)),
    });
    const clock = testClock();
    const poller = createImagePoller(registry, { intervalMs: 60_000, maxIntervalMs: 60_000, timeoutMs: 1000, clock });
    const options = { concurrency: 2, timeoutMs: 1000, signal };
    await createImageLookup({ registry, poller }, options).listTags(repositoriesOn('a.example', 9));
    fails = false;
    const lookup = createImageLookup({ registry, poller }, options);
    await lookup.listTags(repositoriesOn('a.example', 10));
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-0' }), { error: unavailable });
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-9' }), { value: listing });
  });
});
