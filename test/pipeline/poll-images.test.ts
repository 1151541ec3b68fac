import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Answer } from '../../src/pipeline/answer.ts';
import { type PackedListing, unpackListing } from '../../src/pipeline/pack-listing.ts';
import { createImagePoller, type ImagePoller, type PollOptions } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { fakeRegistry, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';

const { signal } = new AbortController();
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const web = { host: 'ghcr.io', path: 'acme/web' };
const plain = { repository: web, pushTimes: false };
const timed = { repository: web, pushTimes: true };
const denied = new TallymanError('RegistryDenied', 'Cannot list');
const missing = new TallymanError('ImageNotFound', 'Cannot find it');
const tagsOf = (answer: Answer<PackedListing>) => ('value' in answer ? unpackListing(answer.value).tags : undefined);
const manifestOf = (tag: string, platforms = false) => ({ repository: web, tag, platforms });
const digestOf = (character: string) => `sha256:${character.repeat(64)}`;

function openPoller(parts: Partial<Registry> = {}, more: Pick<PollOptions, 'onLook'> = {}) {
  const registry = fakeRegistry(parts);
  const clock = testClock();
  const times = { intervalMs: minute, maxIntervalMs: 5 * minute };
  const poller = createImagePoller(registry, { ...times, concurrency: 4, clock, signal, ...more });
  return { poller, clock, asked: registry.asked };
}

/** Asks for a listing and for a manifest alike. */
const kinds = {
  listings: {
    open: (fault: () => Error | undefined, change: () => string) =>
      openPoller({
        async listTags() {
          const error = fault();
          if (error !== undefined) throw error;
          return listingOf(`1.${change()}`);
        },
      }),
    look: ({ tags }: ImagePoller) => tags.look(plain),
  },
  manifests: {
    open: (fault: () => Error | undefined, change: () => string) =>
      openPoller({
        async fetchManifest() {
          const error = fault();
          if (error !== undefined) throw error;
          return manifestWith({ digest: digestOf(change()) });
        },
      }),
    look: ({ manifests }: ImagePoller) => manifests.look(manifestOf('main')),
  },
} as const;

for (const [kind, { open, look }] of Object.entries(kinds)) {
  describe(`createImagePoller on ${kind}`, () => {
    it('asks once for all who come at the same time, and not again within the interval', async () => {
      const { poller, clock, asked } = open(
        () => undefined,
        () => 'a',
      );
      await Promise.all([1, 2, 3, 4, 5].map(() => look(poller)));
      clock.time += 45 * second;
      await look(poller);
      assert.equal(asked.length, 1);
      clock.time += 15 * second;
      await look(poller);
      assert.equal(asked.length, 2);
    });

    it('looks more rarely at what rests, and often again after a change', async () => {
      let text = 'a';
      const { poller, clock, asked } = open(
        () => undefined,
        () => text,
      );
      const countFor = async (durationMs: number) => {
        const [endMs, before] = [clock.time + durationMs, asked.length];
        for (; clock.time < endMs; clock.time += minute) await look(poller);
        return asked.length - before;
      };
      await countFor(10 * hour);
      assert.equal(await countFor(hour), 12, 'every five minutes');
      text = 'b';
      await countFor(10 * minute);
      assert.equal(await countFor(10 * minute), 10, 'every minute');
    });

    const failures: Record<string, [Error, readonly number[]]> = {
      'that is silent up to a quarter of an hour': [unavailable, [0, 1, 3, 7, 15, 30, 45, 60]],
      'that refuses up to five minutes': [denied, [0, 1, 3, 7, 12, 17, 22, 27, 32, 37, 42, 47, 52, 57, 62, 67]],
      'that has no such image up to five minutes': [
        missing,
        [0, 1, 3, 7, 12, 17, 22, 27, 32, 37, 42, 47, 52, 57, 62, 67],
      ],
    };
    for (const [name, [error, minutes]] of Object.entries(failures)) {
      it(`asks one ${name} apart`, async () => {
        const { poller, clock, asked } = open(
          () => error,
          () => 'a',
        );
        const startMs = clock.time;
        const asksAt: number[] = [];
        for (; clock.time < startMs + 70 * minute; clock.time += minute) {
          const before = asked.length;
          assert.deepEqual(await look(poller), { error });
          if (asked.length > before) asksAt.push((clock.time - startMs) / minute);
        }
        assert.deepEqual(asksAt, minutes);
      });
    }

    it('serves the earlier answer with the failure and its time, and the new one afterwards', async () => {
      let fault: Error | undefined;
      const { poller, clock } = open(
        () => fault,
        () => 'a',
      );
      const first = await look(poller);
      const sinceMs = clock.time;
      fault = denied;
      clock.time += minute;
      const stale = { ...first, stale: { error: denied, sinceMs } };
      assert.deepEqual([await look(poller), await look(poller)], [stale, stale]);
      fault = undefined;
      clock.time += minute;
      assert.deepEqual(await look(poller), { ...first, sinceMs: clock.time });
    });

    it('forgets what nobody asked for in two days', async () => {
      let fault: Error | undefined;
      const { poller, clock } = open(
        () => fault,
        () => 'a',
      );
      await look(poller);
      clock.time += 49 * hour;
      const other = { ...web, path: 'acme/other' };
      await poller.tags.look({ repository: other, pushTimes: false });
      await poller.manifests.look({ repository: other, tag: 'main', platforms: false });
      // Were it remembered, a failure would still leave its answer.
      fault = unavailable;
      assert.deepEqual(await look(poller), { error: unavailable });
    });
  });
}

describe('createImagePoller with push times', () => {
  const pushedMs = new Map([['1.0.0', 5]]);
  const withTimes: Registry['listTags'] = async (_repository, options) => ({
    tags: ['1.0.0'],
    pushedMs: options.pushTimes ? pushedMs : undefined,
  });

  it('asks at once where they are wanted first, then for all who use the repository', async () => {
    const { poller, clock, asked } = openPoller({ listTags: withTimes });
    await poller.tags.look(plain);
    const answer = await poller.tags.look(timed);
    assert.deepEqual('value' in answer && unpackListing(answer.value).pushedMs, pushedMs);
    clock.time += minute;
    await poller.tags.look(plain);
    await poller.tags.look(timed);
    assert.deepEqual(asked, ['list ghcr.io/acme/web', 'list ghcr.io/acme/web times', 'list ghcr.io/acme/web times']);
  });

  it('does not ask again and again where the registry tells none, or fails', async () => {
    for (const listTags of [async () => listingOf('1.0.0'), () => Promise.reject(unavailable)]) {
      const { poller, asked } = openPoller({ listTags });
      await poller.tags.look(timed);
      await poller.tags.look(timed);
      assert.equal(asked.length, 1);
    }
  });
});

describe('createImagePoller with platforms', () => {
  it('asks for each tag, and for its platforms apart: who wants none bears no failure of theirs', async () => {
    const { poller, asked } = openPoller({
      fetchManifest: async (_repository, _tag, { platforms }) => {
        if (platforms) throw unavailable;
        return manifestWith();
      },
    });
    for (let time = 0; time < 2; time += 1) {
      assert.deepEqual(await poller.manifests.look(manifestOf('1.0.0', true)), { error: unavailable });
      for (const tag of ['1.0.0', '1.1.0'])
        assert.deepEqual(await poller.manifests.look(manifestOf(tag)), {
          value: manifestWith(),
          sinceMs: testClock().time,
        });
    }
    assert.deepEqual(asked, [
      'get ghcr.io/acme/web:1.0.0 platforms',
      'get ghcr.io/acme/web:1.0.0',
      'get ghcr.io/acme/web:1.1.0',
    ]);
  });

  it('keeps of the annotations what tells the source, at most so long', async () => {
    const source = { 'org.opencontainers.image.source': 'https://git.example/acme/web' };
    const revision = { 'org.opencontainers.image.revision': 'x'.repeat(301) };
    const annotations = { ...source, ...revision, 'org.opencontainers.image.description': 'long' };
    const { poller } = openPoller({ fetchManifest: async () => manifestWith({ annotations }) });
    const answer = await poller.manifests.look(manifestOf('1.0.0'));
    assert.deepEqual('value' in answer && answer.value, manifestWith({ annotations: source }));
  });
});

describe('createImagePoller where something new is expected', () => {
  it('asks for tags and manifests of the repository again, and tells how many repositories those are', async () => {
    const { poller, asked } = openPoller();
    const askAll = async () => {
      assert.deepEqual(tagsOf(await poller.tags.look(plain)), ['1.0.0']);
      for (const tag of ['1.0.0', 'main']) await poller.manifests.look(manifestOf(tag));
    };
    await askAll();
    assert.deepEqual(await poller.expect(({ path }) => path === 'acme/other'), []);
    await askAll();
    assert.equal(asked.length, 3);
    assert.deepEqual(await poller.expect(({ path }) => path === 'acme/web'), [web]);
    await askAll();
    assert.equal(asked.length, 6);
  });
});

describe('createImagePoller that is watched', () => {
  it('tells what came of each look at tags', async () => {
    const answers = [unavailable, '1.0.0', '1.0.0', '1.1.0', denied];
    const results: string[] = [];
    const listTags = async () => {
      const answer = answers.shift();
      if (typeof answer === 'string') return listingOf(answer);
      throw answer;
    };
    const onLook: PollOptions['onLook'] = ({ name }, result) => results.push(`${name} ${result}`);
    const { poller, clock } = openPoller({ listTags }, { onLook });
    while (answers.length > 0) {
      await poller.tags.look(plain);
      await poller.manifests.look(manifestOf('main'));
      clock.time += hour;
    }
    assert.deepEqual(
      results,
      ['failed', 'first', 'same', 'changed', 'refused'].map((result) => `ghcr.io/acme/web ${result}`),
    );
  });

  it('knows since when it has no newer answer of what is wanted', async () => {
    let fails = true;
    const listTags = async () => {
      if (fails) throw unavailable;
      return listingOf('1.0.0');
    };
    const { poller, clock } = openPoller({ listTags });
    const startMs = clock.time;
    const look = async (ms: number): Promise<number | undefined> => {
      clock.time += ms;
      await poller.tags.look(plain);
      return poller.tags.listWanted()[0]?.sinceMs;
    };
    assert.equal(await look(0), startMs);
    assert.equal(await look(5 * minute), startMs);
    fails = false;
    assert.equal(await look(15 * minute), startMs + 20 * minute);
    fails = true;
    assert.equal(await look(10 * minute), startMs + 20 * minute);
    assert.deepEqual(poller.tags.listWanted(), [{ name: 'ghcr.io/acme/web', sinceMs: startMs + 20 * minute }]);
    clock.time += hour + minute;
    assert.deepEqual(poller.tags.listWanted(), []);
  });
});
