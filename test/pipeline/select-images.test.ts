import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { explainPolicy } from '../../src/pipeline/explain-policy.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import type { ManifestInfo, TagListing } from '../../src/pipeline/ports.ts';
import { openLookup, type PassContext, planPass } from '../../src/pipeline/run-pass.ts';
import { type FakeRegistry, fakeRegistry, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const hour = 3_600_000;
const startMs = testClock().time;
const anyVersion = 'select: {semver: "*"}';

/** Tags with the platforms of their images. */
function registryOf(platforms: Readonly<Record<string, readonly string[]>>): FakeRegistry {
  return fakeRegistry({
    listTags: async () => listingOf(...Object.keys(platforms)),
    async fetchManifest(_repository, tag, options): Promise<ManifestInfo> {
      const found = platforms[tag];
      if (found === undefined) throw new TallymanError('ImageNotFound', `Cannot find ${tag}`);
      return manifestWith({ ...(options.platforms && { platforms: found }) });
    },
  });
}

const plan = (context: PassContext) => planPass(context, openLookup(context, { signal }), { signal });
const explain = (context: PassContext) =>
  explainPolicy(context, openLookup(context, { signal }), { key: 'shop/web', signal });
const gets = ({ asked }: FakeRegistry) =>
  asked.flatMap((line) => (line.startsWith('get ') ? line.slice('get ghcr.io/acme/web:'.length) : []));

describe('selectImages with platforms', () => {
  const both = ['linux/amd64', 'linux/arm64'];
  interface Row {
    readonly spec?: string;
    readonly tags: Readonly<Record<string, readonly string[]>>;
    readonly writes: string | undefined;
    readonly asks: readonly string[];
  }
  const rows: Record<string, Row> = {
    'takes the best tag where it has them': {
      tags: { '1.0.0': both, '1.1.0': both, '1.2.0': both },
      writes: '1.2.0',
      asks: ['1.2.0 platforms'],
    },
    'falls to the next tag that has them': {
      tags: { '1.0.0': both, '1.1.0': both, '1.2.0': ['linux/amd64'], '1.3.0': [] },
      writes: '1.1.0',
      asks: ['1.3.0 platforms', '1.2.0 platforms', '1.1.0 platforms'],
    },
    'stays where no newer tag has them': {
      tags: { '1.0.0': [], '1.1.0': ['linux/amd64'] },
      writes: undefined,
      asks: ['1.1.0 platforms'],
    },
    'asks for nothing where there is nothing to write': { tags: { '0.9.0': both }, writes: undefined, asks: [] },
    'follows no digest of an image without them': {
      spec: 'select: {digest: main}, platforms: [linux/arm64]',
      tags: { main: ['linux/amd64'] },
      writes: undefined,
      asks: ['main platforms'],
    },
    'asks for none where none are wanted': {
      spec: anyVersion,
      tags: { '1.1.0': [] },
      writes: '1.1.0',
      asks: ['1.1.0'],
    },
  };
  for (const [name, { spec = `${anyVersion}, platforms: [linux/arm64]`, tags, writes, asks }] of Object.entries(rows)) {
    it(name, async () => {
      const registry = registryOf(tags);
      const { updates, problems } = await plan(passOver(fakeYamlRepo(repoFiles(spec)), registry));
      assert.deepEqual([updates.map(({ to }) => to), problems], [writes === undefined ? [] : [writes], []]);
      assert.deepEqual(gets(registry), asks);
    });
  }

  it('says so where none of the 20 best tags has them, and asks for no more', async () => {
    const tags = Array.from({ length: 25 }, (_, index) => [`1.${index + 1}.0`, ['linux/amd64']] as const);
    const registry = registryOf(Object.fromEntries(tags));
    const spec = `${anyVersion}, platforms: [linux/arm64]`;
    const { updates, problems } = await plan(passOver(fakeYamlRepo(repoFiles(spec)), registry));
    assert.deepEqual([updates, gets(registry).length], [[], 20]);
    assert.deepEqual(
      problems.map(({ code, message }) => [code, message]),
      [
        [
          'PolicyInvalid',
          'Cannot judge policy "shop/web": none of its 20 best tags offers linux/arm64, one that does was wanted',
        ],
      ],
    );
  });

  it('decides each version in Git on its own, and asks for a manifest once', async () => {
    const registry = registryOf({ '1.1.0': ['linux/arm64'], '1.2.0': ['linux/amd64'] });
    const files = repoFiles(`${anyVersion}, platforms: [linux/arm64]`, ['1.0.0', '1.0.1', '1.1.0', '1.3.0']);
    const { updates } = await plan(passOver(fakeYamlRepo(files), registry));
    assert.deepEqual(
      updates.map(({ from, to }) => `${from} ${to}`),
      ['1.0.0 1.1.0', '1.0.1 1.1.0'],
    );
    assert.deepEqual(gets(registry), ['1.2.0 platforms', '1.1.0 platforms']);
  });

  it('writes no tag that was not asked for into a place without a version', async () => {
    const registry = registryOf({ '1.1.0': ['linux/arm64'], '1.2.0': ['linux/amd64'] });
    const marked = (value: string) => `tag: ${value} # {"$imagepolicy": "shop:web:tag"}\n`;
    const files = {
      ...repoFiles(`${anyVersion}, platforms: [linux/arm64]`, []),
      'ahead.yaml': marked('1.3.0'),
      'empty.yaml': marked('""'),
    };
    const { updates } = await plan(passOver(fakeYamlRepo(files), registry));
    assert.deepEqual(
      updates.map(({ to }) => to),
      ['1.1.0'],
    );
  });

  it('tells in explain what a tag lacks', async () => {
    const registry = registryOf({ '1.0.0': both, '1.1.0': both, '1.2.0': ['linux/amd64'] });
    const { tags } = await explain(
      passOver(fakeYamlRepo(repoFiles(`${anyVersion}, platforms: [linux/arm64]`)), registry),
    );
    assert.deepEqual(
      tags.map(({ tag, verdict, reason }) => `${tag} ${verdict}: ${reason}`),
      [
        '1.2.0 rejected: platform missing: linux/arm64',
        '1.1.0 selected: 1.1.0 is above 1.0.0',
        '1.0.0 candidate: not above 1.1.0',
      ],
    );
  });
});

describe('selectImages with push times', () => {
  const pushed = (times: Readonly<Record<string, number>>): TagListing => ({
    tags: Object.keys(times),
    pushedMs: new Map(Object.entries(times)),
  });
  const passWith = (spec: string, listing: TagListing) => {
    const registry = fakeRegistry({ listTags: async () => listing });
    return { registry, context: passOver(fakeYamlRepo(repoFiles(spec)), registry) };
  };

  it('takes the newest by them', async () => {
    const { registry, context } = passWith(
      'select: {newest: true}',
      pushed({ blue: startMs - 3, '1.0.0': startMs - 9, green: startMs - 1, red: startMs - 2 }),
    );
    const { updates, problems } = await plan(context);
    assert.deepEqual([updates.map(({ to }) => to), problems], [['green'], []]);
    assert.equal(registry.asked[0], 'list ghcr.io/acme/web times');
    assert.deepEqual(
      (await explain(context)).tags.map(({ tag }) => tag),
      ['green', 'red', 'blue', '1.0.0'],
    );
  });

  it('takes what is old enough, and knows when the next will be', async () => {
    const { context } = passWith(
      `${anyVersion}, minimumAge: 24h`,
      pushed({ '1.1.0': startMs - 25 * hour, '1.2.0': startMs - 23 * hour }),
    );
    const { updates, selections } = await plan(context);
    assert.deepEqual(
      updates.map(({ to }) => to),
      ['1.1.0'],
    );
    assert.deepEqual(
      selections.map(({ wakeMs }) => wakeMs),
      [startMs + hour],
    );
  });

  it('reports what kept the registry from telling them, and goes by those known', async () => {
    const listing = { ...pushed({ '1.1.0': startMs - 25 * hour }), pushTimesFault: unavailable };
    const { context } = passWith(`${anyVersion}, minimumAge: 24h`, { ...listing, tags: ['1.1.0', '1.2.0'] });
    const { updates, problems } = await plan(context);
    assert.deepEqual(
      updates.map(({ to }) => to),
      ['1.1.0'],
    );
    const message = 'Cannot reach it; meanwhile tags wait whose time is not known';
    assert.deepEqual(
      problems.map((problem) => [problem.code, problem.policy, problem.message]),
      [['RegistryUnavailable', 'shop/web', message]],
    );
  });

  it('says nothing of them to a policy that wants none', async () => {
    const { context } = passWith(anyVersion, { ...listingOf('1.0.0'), pushTimesFault: unavailable });
    assert.deepEqual((await plan(context)).problems, []);
  });

  it('asks for none where no policy wants them', async () => {
    const { registry, context } = passWith(anyVersion, listingOf('1.0.0'));
    await plan(context);
    assert.deepEqual(registry.asked, ['list ghcr.io/acme/web']);
  });
});

describe('selectImages by what was last known', () => {
  const settings = { intervalMs: 60_000, maxIntervalMs: 60_000, concurrency: 4, signal };

  it('decides, and reports why and since when', async () => {
    let fails = false;
    const registry = fakeRegistry({
      listTags: () => (fails ? Promise.reject(unavailable) : Promise.resolve(listingOf('1.0.0', '1.1.0'))),
    });
    const clock = testClock();
    const poller = createImagePoller(registry, { ...settings, clock });
    const context = { ...passOver(fakeYamlRepo(repoFiles(anyVersion)), registry, clock), poller };
    await plan(context);
    fails = true;
    clock.time += 60_000;
    const { updates, problems } = await plan(context);
    assert.deepEqual(
      updates.map(({ to }) => to),
      ['1.1.0'],
    );
    const message = `Cannot reach it; meanwhile its tags of ${new Date(startMs).toISOString()} count`;
    assert.deepEqual(
      problems.map((problem) => [problem.code, problem.policy, problem.message]),
      [['RegistryUnavailable', 'shop/web', message]],
    );
  });

  it('does not say that a registry tells no times where the look for them failed', async () => {
    const registry = fakeRegistry({
      listTags: (_repository, { pushTimes }) =>
        pushTimes ? Promise.reject(unavailable) : Promise.resolve(listingOf('1.1.0')),
    });
    const clock = testClock();
    const poller = createImagePoller(registry, { ...settings, clock });
    for (const spec of [anyVersion, 'select: {newest: true}']) {
      const { problems, updates } = await plan({ ...passOver(fakeYamlRepo(repoFiles(spec)), registry, clock), poller });
      const wanted = spec === anyVersion ? [[], 1] : [['RegistryUnavailable'], 0];
      assert.deepEqual([problems.map(({ code }) => code), updates.length], wanted);
    }
  });
});

describe('selectImages for memory', () => {
  it('keeps verdicts only where one policy is asked about', async () => {
    const registry = fakeRegistry({ listTags: async () => listingOf('1.0.0', '1.1.0') });
    const context = passOver(fakeYamlRepo(repoFiles(anyVersion)), registry);
    assert.deepEqual(
      (await plan(context)).selections.map(({ tags }) => tags.length),
      [0],
    );
    assert.equal((await explain(context)).tags.length, 2);
  });
});
