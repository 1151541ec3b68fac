import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Answer } from '../../src/pipeline/answer.ts';
import { type PackedListing, unpackListing } from '../../src/pipeline/pack-listing.ts';
import { createImagePoller, type ImagePoller } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { fakeRegistry, hang, listingOf, testClock, unavailable } from './fake-registry.ts';

const { signal } = new AbortController();
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const web = { host: 'ghcr.io', path: 'acme/web' };
const plain = { repository: web, pushTimes: false };
const timed = { repository: web, pushTimes: true };
const tagsOf = (answer: Answer<PackedListing> | undefined) =>
  answer !== undefined && 'value' in answer ? unpackListing(answer.value).tags : undefined;

function openPoller(listTags?: Registry['listTags'], timeoutMs = 10_000) {
  const registry = fakeRegistry(listTags && { listTags });
  const clock = testClock();
  const poller = createImagePoller(registry, { intervalMs: minute, maxIntervalMs: 5 * minute, timeoutMs, clock });
  return { poller, clock, asked: registry.asked };
}

/** Comes every interval for so long. */
async function comeFor(durationMs: number, { poller, clock }: { poller: ImagePoller; clock: { time: number } }) {
  const endMs = clock.time + durationMs;
  for (; clock.time < endMs; clock.time += minute) await poller.look(plain, { signal });
}

describe('createImagePoller', () => {
  it('asks once for all who come at the same time, and not again within the interval', async () => {
    const { poller, clock, asked } = openPoller();
    await Promise.all([poller.look(plain, { signal }), poller.look(plain, { signal })]);
    clock.time += 45 * second;
    assert.deepEqual(tagsOf(poller.recall(plain)), ['1.0.0']);
    assert.deepEqual(tagsOf(await poller.look(plain, { signal })), ['1.0.0']);
    assert.deepEqual(asked, ['list ghcr.io/acme/web']);
    clock.time += 15 * second;
    assert.equal(poller.recall(plain), undefined);
    await poller.look(plain, { signal });
    assert.equal(asked.length, 2);
  });

  it('asks each time with intervals of 0', async () => {
    const registry = fakeRegistry();
    const times = { intervalMs: 0, maxIntervalMs: 0, timeoutMs: 1000 };
    const poller = createImagePoller(registry, { ...times, clock: testClock() });
    await poller.look(plain, { signal });
    await poller.look(plain, { signal });
    assert.equal(registry.asked.length, 2);
  });

  it('looks more rarely at what rests, and often again after a change', async () => {
    let tags = listingOf('1.0.0');
    const opened = openPoller(async () => tags);
    await comeFor(10 * hour, opened);
    const whole = opened.asked.length;
    await comeFor(hour, opened);
    assert.equal(opened.asked.length - whole, 12, 'every five minutes');
    tags = listingOf('1.0.0', '1.1.0');
    await comeFor(10 * minute, opened);
    const changed = opened.asked.length;
    await comeFor(10 * minute, opened);
    assert.equal(opened.asked.length - changed, 10, 'every minute');
  });

  it('goes on for the other where one of two callers goes', async () => {
    let answer: (() => void) | undefined;
    const { poller, asked } = openPoller(
      () =>
        new Promise((resolve) => {
          answer = () => resolve(listingOf('1.0.0'));
        }),
    );
    const abort = new AbortController();
    const [gone, stays] = [poller.look(plain, { signal: abort.signal }), poller.look(plain, { signal })];
    abort.abort(new Error('stopped'));
    await assert.rejects(gone, /stopped/);
    answer?.();
    assert.deepEqual(tagsOf(await stays), ['1.0.0']);
    assert.equal(asked.length, 1);
  });

  it('learns nothing about a registry from callers that went', async () => {
    const { poller, asked } = openPoller(hang);
    const abort = new AbortController();
    const looking = poller.look(plain, { signal: abort.signal });
    abort.abort(new Error('stopped'));
    await assert.rejects(looking, /stopped/);
    assert.equal(poller.recall(plain), undefined);
    assert.equal(asked.length, 1);
  });

  it('gives a look up after its time', async () => {
    const { poller } = openPoller(hang, 20);
    const answer = await poller.look(plain, { signal });
    assert.ok('error' in answer && answer.error instanceof TallymanError);
    assert.match(answer.error.message, /"ghcr\.io\/acme\/web": there was no answer within 0\.02 s/);
    assert.deepEqual(poller.recall(plain), answer);
  });

  it('forgets what nobody asked for in two days', async () => {
    const { poller, clock } = openPoller();
    await poller.look(plain, { signal });
    clock.time += 49 * hour;
    poller.recall({ ...plain, repository: { ...web, path: 'acme/other' } });
    // Were it remembered, a failure would still leave its tags.
    const answer = await poller.look(plain, { signal, unreachable: unavailable });
    assert.deepEqual(answer, { error: unavailable });
  });
});

describe('createImagePoller on failures', () => {
  const denied = new TallymanError('RegistryDenied', 'Cannot list');

  it('repeats a failure after intervals that double, up to a quarter of an hour', async () => {
    const { poller, clock, asked } = openPoller(() => Promise.reject(denied));
    const startMs = clock.time;
    const asksAt: number[] = [];
    for (; clock.time < startMs + 70 * minute; clock.time += minute) {
      const before = asked.length;
      assert.deepEqual(await poller.look(plain, { signal }), { error: denied });
      if (asked.length > before) asksAt.push((clock.time - startMs) / minute);
    }
    assert.deepEqual(asksAt, [0, 1, 3, 7, 15, 30, 45, 60]);
  });

  it('serves the earlier listing with the failure and its time, and the new one afterwards', async () => {
    let fails = false;
    const { poller, clock } = openPoller(() => (fails ? Promise.reject(denied) : Promise.resolve(listingOf('1.0.0'))));
    await poller.look(plain, { signal });
    const sinceMs = clock.time;
    fails = true;
    clock.time += minute;
    const answer = await poller.look(plain, { signal });
    assert.deepEqual(tagsOf(answer), ['1.0.0']);
    assert.deepEqual('stale' in answer && answer.stale, { error: denied, sinceMs });
    assert.deepEqual(poller.recall(plain), answer);
    fails = false;
    clock.time += minute;
    const fresh = await poller.look(plain, { signal });
    assert.equal('stale' in fresh && fresh.stale, false);
  });

  it('takes a host that is given up for a failed look, and does not ask it', async () => {
    const { poller, asked } = openPoller();
    assert.deepEqual(await poller.look(plain, { signal, unreachable: unavailable }), { error: unavailable });
    assert.deepEqual([poller.recall(plain), asked], [{ error: unavailable }, []]);
  });
});

describe('createImagePoller with push times', () => {
  const pushedMs = new Map([['1.0.0', 5]]);
  const withTimes: Registry['listTags'] = async (_repository, options) => ({
    tags: ['1.0.0'],
    pushedMs: options.pushTimes ? pushedMs : undefined,
  });

  it('asks at once where they are wanted first, then for all who use the repository', async () => {
    const { poller, clock, asked } = openPoller(withTimes);
    await poller.look(plain, { signal });
    assert.equal(poller.recall(timed), undefined);
    const answer = await poller.look(timed, { signal });
    assert.deepEqual('value' in answer && unpackListing(answer.value).pushedMs, pushedMs);
    clock.time += minute;
    await poller.look(plain, { signal });
    assert.notEqual(poller.recall(timed), undefined);
    assert.deepEqual(asked, ['list ghcr.io/acme/web', 'list ghcr.io/acme/web times', 'list ghcr.io/acme/web times']);
  });

  it('does not ask again and again where the registry tells none, or fails', async () => {
    for (const listTags of [async () => listingOf('1.0.0'), () => Promise.reject(unavailable)]) {
      const { poller, asked } = openPoller(listTags);
      await poller.look(timed, { signal });
      await poller.look(timed, { signal });
      assert.equal(asked.length, 1);
    }
  });
});

describe('createImagePoller where something new is expected', () => {
  const ofWeb = ({ path }: { path: string }) => path === web.path;

  it('asks at the next look, once, also after failures', async () => {
    let fails = false;
    const { poller, asked } = openPoller(() =>
      fails ? Promise.reject(unavailable) : Promise.resolve(listingOf('1.0.0')),
    );
    assert.equal(poller.expect(ofWeb), 0);
    for (fails of [false, true, true]) {
      const before = asked.length;
      await poller.look(plain, { signal });
      await poller.look(plain, { signal });
      assert.equal(asked.length, before + 1);
      assert.equal(poller.expect(ofWeb), 1);
    }
    assert.equal(
      poller.expect(() => false),
      0,
    );
  });

  it('takes no answer to an earlier question for the new one', async () => {
    const answers: ((...tags: string[]) => void)[] = [];
    const { poller, asked } = openPoller(
      () => new Promise((resolve) => answers.push((...tags) => resolve(listingOf(...tags)))),
    );
    const early = poller.look(plain, { signal });
    poller.expect(ofWeb);
    const late = poller.look(plain, { signal });
    assert.equal(asked.length, 2);
    answers[1]?.('1.0.0', '1.1.0');
    assert.deepEqual(tagsOf(await late), ['1.0.0', '1.1.0']);
    answers[0]?.('1.0.0');
    await early;
    assert.deepEqual(tagsOf(poller.recall(plain)), ['1.0.0', '1.1.0'], 'what was asked later stays');
  });

  it('asks again after a look that began too early', async () => {
    let answer: (() => void) | undefined;
    const { poller } = openPoller(
      () =>
        new Promise((resolve) => {
          answer = () => resolve(listingOf('1.0.0'));
        }),
    );
    const early = poller.look(plain, { signal });
    poller.expect(ofWeb);
    answer?.();
    assert.deepEqual(tagsOf(await early), ['1.0.0']);
    assert.equal(poller.recall(plain), undefined);
  });
});
