import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createImageLookup } from '../../src/pipeline/look-up-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';

const { signal } = new AbortController();
const unavailable = new TallymanError('RegistryUnavailable', 'Cannot reach it');
const listing = { tags: ['1.0.0'], pushedMs: undefined };
const repositoriesOn = (host: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ host, path: `app-${index}` }));

function registryThat(listTags: Registry['listTags']): { registry: Registry; asked: string[] } {
  const asked: string[] = [];
  const registry: Registry = {
    listTags: (repository, options) => {
      asked.push(`${repository.host}/${repository.path}`);
      return listTags(repository, options);
    },
    fetchManifest: async () => ({ digest: 'sha256:x', annotations: {}, platforms: undefined }),
  };
  return { registry, asked };
}

const hang: Registry['listTags'] = (_repository, options) =>
  new Promise((_resolve, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason)));

describe('createImageLookup', () => {
  it('asks each question once, and remembers failures too', async () => {
    const { registry, asked } = registryThat(async ({ path }) => {
      if (path === 'app-1') throw unavailable;
      return listing;
    });
    const lookup = createImageLookup(registry, { concurrency: 4, timeoutMs: 1000, signal });
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
    const lookup = createImageLookup(registry, { concurrency: 2, timeoutMs: 20, signal });
    await lookup.listTags([...repositoriesOn('dead.example', 50), ...repositoriesOn('good.example', 5)]);
    assert.ok(asked.filter((name) => name.startsWith('dead')).length <= 4);
    assert.equal(asked.filter((name) => name.startsWith('good')).length, 5);
    const last = lookup.tagsOf({ host: 'dead.example', path: 'app-49' });
    assert.ok('error' in last && last.error instanceof TallymanError && last.error.code === 'RegistryUnavailable');
  });

  it('gives a host up though some of its answers come', async () => {
    const { registry, asked } = registryThat(async ({ path }) => {
      if (Number(path.slice(4)) % 2 === 0) throw unavailable;
      return listing;
    });
    await createImageLookup(registry, { concurrency: 2, timeoutMs: 1000, signal }).listTags(
      repositoriesOn('a.example', 40),
    );
    assert.ok(asked.length < 8, `${asked.length} asked`);
  });

  it('leaves nothing hooked to a signal that lives as long as the daemon', async () => {
    const { registry } = registryThat(async () => listing);
    const daemon = new AbortController();
    for (let pass = 0; pass < 20; pass += 1) {
      const lookup = createImageLookup(registry, { concurrency: 4, timeoutMs: 1000, signal: daemon.signal });
      await lookup.listTags(repositoriesOn('a.example', 20));
    }
    assert.equal(getEventListeners(daemon.signal, 'abort').length, 0);
  });

  it('ends at once with the reason where the daemon is stopped', async () => {
    const { registry } = registryThat(hang);
    const daemon = new AbortController();
    const lookup = createImageLookup(registry, { concurrency: 4, timeoutMs: 60_000, signal: daemon.signal });
    const asking = lookup.listTags(repositoriesOn('a.example', 20));
    daemon.abort(new Error('stopped'));
    await assert.rejects(asking, /stopped/);
  });
});
