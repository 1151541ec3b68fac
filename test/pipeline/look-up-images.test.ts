import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { createImageLookup, type ImageLookup } from '../../src/pipeline/look-up-images.ts';
import { packListing } from '../../src/pipeline/pack-listing.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { fakeRegistry, handClock, hang, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';

const { signal } = new AbortController();
const minute = 60_000;
const listing = listingOf('1.0.0');
const repositoriesOn = (host: string, count: number, name = 'app') =>
  Array.from({ length: count }, (_, index) => ({ repository: { host, path: `${name}-${index}` }, pushTimes: false }));

/** Without a poller that remembers. */
function openLookup(registry: Registry, stop: AbortSignal = signal): ImageLookup {
  const options = { intervalMs: 0, maxIntervalMs: 0, concurrency: 4, clock: testClock(), signal: stop };
  return createImageLookup(createImagePoller(registry, options), { signal: stop });
}

describe('createImageLookup', () => {
  it('asks each question once, and remembers failures too', async () => {
    const { asked, ...registry } = fakeRegistry({
      listTags: async ({ path }) => {
        if (path === 'app-1') throw unavailable;
        return listing;
      },
    });
    const lookup = openLookup(registry);
    const repositories = repositoriesOn('a.example', 3);
    await lookup.listTags([...repositories, ...repositories]);
    await lookup.listTags(repositories);
    assert.equal(asked.length, 3);
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-0' }), {
      value: packListing(listing),
      sinceMs: testClock().time,
    });
    assert.deepEqual(lookup.tagsOf({ host: 'a.example', path: 'app-1' }), { error: unavailable });
  });

  it('asks every repository, however many of a host fail', async () => {
    const { asked, ...registry } = fakeRegistry({
      listTags: async ({ path }) => {
        if (Number(path.slice(4)) % 20 === 0) throw unavailable;
        return listing;
      },
    });
    const lookup = openLookup(registry);
    const repositories = repositoriesOn('a.example', 500);
    await lookup.listTags(repositories);
    const failed = repositories.filter(({ repository }) => 'error' in lookup.tagsOf(repository));
    assert.deepEqual([asked.length, failed.length], [500, 25]);
  });

  it('leaves nothing hooked to a signal that lives as long as the daemon', async () => {
    const daemon = new AbortController();
    for (let pass = 0; pass < 20; pass += 1)
      await openLookup(fakeRegistry(), daemon.signal).listTags(repositoriesOn('a.example', 20));
    assert.equal(getEventListeners(daemon.signal, 'abort').length, 0);
  });

  it('ends at once with the reason where the pass is stopped, though the look goes on', async () => {
    const settings = { intervalMs: minute, maxIntervalMs: minute, concurrency: 4, clock: testClock(), signal };
    const poller = createImagePoller(fakeRegistry({ listTags: hang }), settings);
    const pass = new AbortController();
    const asking = createImageLookup(poller, { signal: pass.signal }).listTags(repositoriesOn('a.example', 20));
    pass.abort(new Error('stopped'));
    await assert.rejects(asking, /stopped/);
    const late = createImageLookup(poller, { signal: pass.signal });
    await assert.rejects(
      late.fetchManifests([{ repository: { host: 'b', path: 'c' }, tag: '1', platforms: false }]),
      /stopped/,
    );
  });

  it('asks for push times and platforms where one of those who ask wants them', async () => {
    const { asked, ...registry } = fakeRegistry();
    const lookup = openLookup(registry);
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
});

describe('createImageLookup of passes that follow each other', () => {
  function openPasses(parts: Partial<Registry>) {
    const { asked, ...registry } = fakeRegistry(parts);
    const clock = handClock();
    const times = { intervalMs: minute, maxIntervalMs: minute, patienceMs: minute / 2 };
    const poller = createImagePoller(registry, { ...times, concurrency: 2, clock, signal });
    return { clock, asked, open: () => createImageLookup(poller, { signal }) };
  }

  it('goes on without a host that is silent, and does not wait for it again', async () => {
    const { clock, asked, open } = openPasses({
      listTags: (repository, options) =>
        repository.host === 'dead.example' ? hang(repository, options) : Promise.resolve(listing),
    });
    const questions = [...repositoriesOn('dead.example', 50), ...repositoriesOn('good.example', 5)];
    const judge = (lookup: ImageLookup) =>
      questions.filter(({ repository }) => 'error' in lookup.tagsOf(repository)).length;
    const first = open();
    const pass = first.listTags(questions);
    await new Promise(setImmediate);
    clock.pass(minute / 2);
    await pass;
    assert.deepEqual([judge(first), asked.length], [50, 7]);
    const second = open();
    await second.listTags(questions);
    assert.deepEqual([judge(second), asked.length], [50, 7]);
  });

  it('keeps what a pass was told, also where the answer comes meanwhile', async () => {
    let answer: (() => void) | undefined;
    const { clock, open } = openPasses({
      listTags: () => new Promise((resolve) => (answer = () => resolve(listing))),
    });
    const [question] = repositoriesOn('slow.example', 1);
    assert.ok(question);
    const first = open();
    const pass = first.listTags([question]);
    clock.pass(minute / 2);
    await pass;
    answer?.();
    await new Promise(setImmediate);
    await first.listTags([question]);
    assert.ok('error' in first.tagsOf(question.repository));
    const second = open();
    await second.listTags([question]);
    assert.deepEqual(second.tagsOf(question.repository), { value: packListing(listing), sinceMs: clock.time });
  });

  it('takes no manifest of earlier for one that is refused now', async () => {
    let fails = false;
    const { clock, open } = openPasses({
      fetchManifest: () => (fails ? Promise.reject(unavailable) : Promise.resolve(manifestWith())),
    });
    const question = { repository: { host: 'a.example', path: 'app' }, tag: '1.0.0', platforms: false };
    const answers = [];
    for (const failing of [false, true]) {
      fails = failing;
      clock.pass(minute);
      const lookup = open();
      await lookup.fetchManifests([question]);
      answers.push(lookup.manifestOf(question));
    }
    assert.deepEqual(answers, [{ value: manifestWith(), sinceMs: clock.time - minute }, { error: unavailable }]);
  });
});
