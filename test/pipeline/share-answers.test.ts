/** Pollers of two workers over one store: what one learned the other knows. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Answer } from '../../src/pipeline/answer.ts';
import { type PackedListing, unpackListing } from '../../src/pipeline/pack-listing.ts';
import { createImagePoller, type PollOptions } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { testAnswerStore } from '../contracts/answer-store-contract.ts';
import { fakeAnswerStore } from './fake-answer-store.ts';
import { fakeRegistry, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';

const { signal } = new AbortController();
const minute = 60_000;
const web = { host: 'ghcr.io', path: 'acme/web' };
const plain = { repository: web, pushTimes: false };
const timed = { repository: web, pushTimes: true };
const tagsOf = (answer: Answer<PackedListing>) =>
  'value' in answer ? unpackListing(answer.value).tags.join(' ') : String(answer.error);

testAnswerStore('in memory', () => {
  const store = fakeAnswerStore(testClock());
  return { store, other: store };
});

/** `registry` serves both; the clocks are apart, and so is the store's. */
function open({ apartMs = 0, ...parts }: Partial<Registry> & { apartMs?: number } = {}) {
  const clock = testClock();
  const tags = ['1.0.0'];
  const store = fakeAnswerStore(clock, 40_000);
  const openWorker = (aheadMs: number) => {
    const registry = fakeRegistry({ listTags: async () => listingOf(...tags), ...parts });
    const times = { intervalMs: minute, maxIntervalMs: 5 * minute };
    const own = { ...clock, nowMs: () => clock.time + aheadMs };
    const looks: string[] = [];
    const onLook: PollOptions['onLook'] = (_, result, lookedMs) =>
      void looks.push(`${result} ${(clock.time + aheadMs - lookedMs) / 1000}`);
    const options = { ...times, concurrency: 4, refreshed: true, clock: own, store, signal, onLook };
    const poller = createImagePoller(registry, options);
    const changed: string[] = [];
    poller.watch(({ path }) => changed.push(path));
    return { ...poller, asked: registry.asked, changed, looks };
  };
  return { clock, tags, store, a: openWorker(0), b: openWorker(apartMs) };
}

describe('shared answers', () => {
  for (const apartMs of [0, 3_600_000, -3_600_000])
    it(`lets one worker decide by what another found, clocks ${apartMs} ms apart`, async () => {
      const { clock, tags, store, a, b } = open({ apartMs });
      assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0');
      clock.time += minute;
      tags.push('1.1.0');
      // Whoever is told of the change finds it in the store.
      a.watch(() => assert.match([...store.answers.values()].map(({ value }) => value).join(), /1\.1\.0/));
      assert.equal(await a.tags.refresh(plain), clock.time + minute);
      assert.deepEqual([a.changed, b.changed], [['acme/web'], []]);
      assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0 1.1.0');
      assert.deepEqual([a.asked.length, b.asked.length], [1, 1]);
      clock.time += minute - 1;
      assert.equal(await b.tags.refresh(plain), clock.time + 1 + apartMs, 'it is not due yet');
      clock.time += 1;
      await b.tags.refresh(plain);
      assert.deepEqual([a.asked.length, b.asked.length, b.changed], [1, 2, []]);
    });

  for (const apartMs of [0, 3_600_000, -3_600_000])
    it(`tells once when another worker saw a change, clocks ${apartMs} ms apart`, async () => {
      const { clock, tags, a, b } = open({ apartMs });
      await a.tags.look(plain);
      await b.tags.look(plain);
      clock.time += minute;
      tags.push('1.1.0');
      await a.tags.refresh(plain);
      clock.time += 10_000;
      for (let looks = 0; looks < 2; looks += 1) await b.tags.look(plain);
      assert.deepEqual([a.looks, b.looks], [['first 0', 'changed 0'], ['told 10']]);
    });

  it('shares manifests, and push times, which all ask for where one wants them', async () => {
    const pushedMs = new Map([['1.0.0', 5]]);
    const { clock, a, b } = open({
      listTags: async (_, { pushTimes }) => ({
        tags: ['1.0.0', '1.1.0'],
        pushedMs: pushTimes ? pushedMs : undefined,
        ...(pushTimes && { pushTimesFault: unavailable }),
      }),
      fetchManifest: async () => manifestWith({ platforms: ['linux/amd64'] }),
    });
    const manifest = { repository: web, tag: '1.0.0', platforms: true };
    assert.deepEqual(await b.manifests.look(manifest), await a.manifests.look(manifest));
    await a.tags.look(timed);
    const answer = await b.tags.look(timed);
    assert.ok('value' in answer);
    const listing = unpackListing(answer.value);
    assert.deepEqual(listing.pushedMs, pushedMs);
    assert.ok(listing.pushTimesFault instanceof TallymanError);
    assert.equal(listing.pushTimesFault.message, unavailable.message);
    clock.time += minute;
    await b.tags.refresh(plain);
    assert.deepEqual(
      [a.asked, b.asked],
      [['list ghcr.io/acme/web times'], ['get ghcr.io/acme/web:1.0.0 platforms', 'list ghcr.io/acme/web times']],
    );
  });

  for (const apartMs of [3_600_000, -3_600_000])
    it(`does not let an older look replace a newer one, clocks ${apartMs} ms apart`, async () => {
      let answerOld: () => void = () => undefined;
      const answers = [() => new Promise<void>((resolve) => (answerOld = resolve)), async () => undefined];
      const listings = [listingOf('1.0.0'), listingOf('1.0.0', '1.1.0')];
      const { clock, store, a, b } = open({
        apartMs,
        async listTags() {
          const listing = listings.shift();
          await answers.shift()?.();
          return listing ?? listingOf();
        },
      });
      const old = a.tags.look(plain);
      await new Promise(setImmediate);
      clock.time += 1;
      assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0 1.1.0');
      answerOld();
      await old;
      assert.match(store.answers.get('tags ghcr.io/acme/web')?.value ?? '', /1\.1\.0/);
      assert.equal(tagsOf(await a.tags.look(plain)), '1.0.0 1.1.0');
      assert.deepEqual([a.asked.length, b.asked.length], [1, 1]);
    });

  it('tells a failure, with the answer before it, and no words of errors that are none of ours', async () => {
    let fault: Error | undefined;
    const { clock, store, a, b } = open({
      async listTags() {
        if (fault !== undefined) throw fault;
        return listingOf('1.0.0');
      },
    });
    await a.tags.look(plain);
    const sinceMs = clock.time;
    for (const [error, told] of [
      [new TallymanError('RegistryDenied', 'Cannot list', { remedy: 'Ask' }), /^RegistryDenied Cannot list Ask$/],
      [new Error('password=hunter2'), /^Internal .* another worker/],
    ] as const) {
      fault = error;
      clock.time += 2 * minute;
      await a.tags.refresh(plain);
      const answer = await b.tags.look(plain);
      assert.ok('value' in answer && answer.stale?.error instanceof TallymanError);
      const { code, message, remedy } = answer.stale.error;
      assert.match(`${code} ${message} ${remedy}`, told);
      assert.deepEqual([tagsOf(answer), answer.stale.sinceMs], ['1.0.0', sinceMs]);
    }
    assert.doesNotMatch(JSON.stringify([...store.answers]), /hunter2/);
    assert.equal(b.asked.length, 0);
    fault = undefined;
    clock.time += 10 * minute;
    await b.tags.refresh(plain);
    const healed = await a.tags.look(plain);
    assert.ok('value' in healed && healed.stale === undefined);
  });

  it('has each worker ask again where one is told of something new, also of what it never looked at', async () => {
    const { clock, tags, a, b } = open();
    const manifest = { repository: web, tag: 'main', platforms: false };
    const lookAll = async () => {
      await a.manifests.look(manifest);
      return tagsOf(await a.tags.look(plain));
    };
    await lookAll();
    tags.push('1.1.0');
    assert.equal(await lookAll(), '1.0.0');
    assert.deepEqual(await b.expect(({ path }) => path === 'acme/other'), []);
    assert.equal(await lookAll(), '1.0.0');
    assert.deepEqual(await b.expect(({ path }) => path === 'acme/web'), [web]);
    assert.equal(await lookAll(), '1.0.0 1.1.0');
    assert.equal(a.asked.length, 4);
    await lookAll();
    assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0 1.1.0');
    clock.time += minute / 2;
    assert.ok(((await b.tags.refresh(plain)) ?? 0) > clock.time);
    assert.deepEqual([a.asked.length, b.asked.length], [4, 0], 'once is enough');
  });

  it('ends refreshing once nobody anywhere wants it, and not before', async () => {
    const { clock, a, b } = open();
    assert.equal(await a.tags.refresh(plain), undefined);
    await a.tags.look(plain);
    for (let passed = 0; passed < 5; passed += 1) {
      clock.time += 30 * minute;
      await b.tags.look(plain);
      assert.notEqual(await a.tags.refresh(plain), undefined);
    }
    clock.time += 61 * minute;
    assert.deepEqual(await Promise.all([a, b].map(({ tags }) => tags.refresh(plain))), [undefined, undefined]);
  });

  it('lets each go on by itself while the store is away, and shares again', async () => {
    const { clock, tags, store, a, b } = open();
    store.isAway = true;
    for (const { tags } of [a, b]) assert.equal(tagsOf(await tags.look(plain)), '1.0.0');
    assert.deepEqual(await a.expect(() => true), [web]);
    tags.push('1.1.0');
    assert.equal(tagsOf(await a.tags.look(plain)), '1.0.0 1.1.0');
    assert.deepEqual([a.asked.length, b.asked.length], [2, 1]);
    store.isAway = false;
    clock.time += 1000;
    assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0');
    assert.equal(tagsOf(await a.tags.look(plain)), '1.0.0 1.1.0');
    assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0 1.1.0');
    store.answers.clear();
    await a.tags.look(plain);
    assert.equal(store.answers.size, 1, 'what the store lost it is told again');
    assert.deepEqual([a.asked.length, b.asked.length], [2, 1]);
  });

  it('asks the store once for all that is asked at the same time, and for values only where they are others', async () => {
    const { clock, store, a, b } = open();
    const all = Array.from({ length: 50 }, (_, index) => ({ ...plain, repository: { ...web, path: `acme/${index}` } }));
    const lookAll = ({ tags }: typeof a) => Promise.all(all.map((question) => tags.look(question)));
    await lookAll(a);
    await lookAll(b);
    assert.deepEqual(store.calls, ['read 50', 'read 50', 'values 50']);
    clock.time += 3 * minute;
    await lookAll(a);
    await lookAll(b);
    assert.deepEqual(store.calls.slice(3), ['read 50', 'read 50']);
    assert.equal(b.asked.length, 0);
  });

  const name = 'tags ghcr.io/acme/web';
  const odd: Record<string, Readonly<Record<string, string>>> = {
    'an order that is none': { order: 'zzz' },
    'a state that is no JSON': { state: '{' },
    'a state of another shape': { state: '{"turn":1}' },
    'a state of another order': { order: `${'8'.repeat(16)}.${'8'.repeat(16)}` },
    'a value of another version': { value: '{"names":"9.9.9"}' },
    'no value': { version: '', value: '' },
  };
  for (const [what, parts] of Object.entries(odd))
    it(`takes nothing from ${what}, and puts it right`, async () => {
      const { clock, tags, store, a, b } = open();
      await a.tags.look(plain);
      await b.tags.look(plain);
      clock.time += minute;
      tags.push('1.1.0');
      await a.tags.refresh(plain);
      const written = store.answers.get(name);
      assert.ok(written);
      store.answers.set(name, { ...written, ...parts });
      assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0');
      await a.tags.look(plain);
      assert.equal(tagsOf(await b.tags.look(plain)), '1.0.0 1.1.0');
      assert.deepEqual([a.asked.length, b.asked.length], [2, 0]);
    });
});
