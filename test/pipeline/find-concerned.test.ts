import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findConcerned } from '../../src/pipeline/find-concerned.ts';
import { createImageInterest } from '../../src/pipeline/image-interest.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { fakeRegistry, testClock } from './fake-registry.ts';

const { signal } = new AbortController();

function open() {
  const watch = (address: string, branch: string | undefined) => ({ subject: `${address} ${branch}`, address, branch });
  const repos = [
    watch('https://git.example/acme/deploy.git', 'main'),
    watch('https://git.example/acme/deploy.git', 'next'),
    watch('https://git.example/acme/other.git', undefined),
  ];
  const registry = fakeRegistry();
  const settings = { intervalMs: 3_600_000, maxIntervalMs: 3_600_000, concurrency: 4, signal };
  const poller = createImagePoller(registry, { ...settings, clock: testClock() });
  const interest = createImageInterest(
    repos.map(({ subject }) => subject),
    { clock: testClock(), maxAgeMs: 1000 },
  );
  return { repos, poller, registry, interest };
}

describe('findConcerned of a push', () => {
  const rows: readonly [
    url: string,
    branch: string | undefined,
    defaultBranch: string | undefined,
    woken: readonly number[],
  ][] = [
    ['git@git.example:acme/deploy.git', 'main', 'main', [0]],
    ['https://git.example/acme/deploy', 'next', 'main', [1]],
    ['https://git.example/acme/deploy', 'feature', 'main', []],
    ['https://git.example/acme/deploy', undefined, undefined, [0, 1]],
    ['https://git.example/acme/other', 'trunk', 'trunk', [2]],
    ['https://git.example/acme/other', 'feature', 'trunk', []],
    ['https://git.example/acme/other', 'feature', undefined, [2]],
    ['https://git.example/acme/unknown', 'main', 'main', []],
  ];
  for (const [url, branch, defaultBranch, wanted] of rows)
    it(`to ${branch} of ${url} wakes ${wanted.length}`, async () => {
      const { repos, ...others } = open();
      const hint = { kind: 'push', repoUrls: ['https://elsewhere.example/x', url], branch, defaultBranch } as const;
      assert.deepEqual(
        await findConcerned(hint, { repos, ...others }),
        wanted.map((index) => repos[index]?.subject),
      );
    });
});

describe('findConcerned of images', () => {
  const web = { host: 'ghcr.io', path: 'acme/web' };
  const hintOf = (host: string | undefined, path: string) => ({ kind: 'images', images: [{ host, path }] }) as const;

  it('has the registry asked again, for the Yaml repos whose policies have one of them', async () => {
    const { repos, poller, registry, interest } = open();
    const question = { repository: web, pushTimes: false };
    for (const [index, { subject }] of repos.entries()) interest.learn(subject, index === 1 ? [web] : []);
    const find = (host: string | undefined, path: string) =>
      findConcerned(hintOf(host, path), { repos, poller, interest });
    assert.deepEqual(await find('ghcr.io', 'acme/web'), [], 'nobody asked for it yet');
    await poller.tags.look(question);
    assert.deepEqual(await find('ghcr.io', 'acme/other'), []);
    await poller.tags.look(question);
    assert.equal(registry.asked.length, 1);
    for (const host of ['ghcr.io', undefined]) {
      assert.deepEqual(await find(host, 'acme/web'), ['https://git.example/acme/deploy.git next']);
      await poller.tags.look(question);
      await poller.tags.look(question);
    }
    assert.equal(registry.asked.length, 3);
  });

  it('concerns, where nobody asked for one yet, the Yaml repos over which no pass was made here', async () => {
    const { repos, poller, interest } = open();
    const [first, ...others] = repos.map(({ subject }) => subject);
    interest.learn(first ?? '', []);
    assert.deepEqual(await findConcerned(hintOf('ghcr.io', 'acme/web'), { repos, poller, interest }), others);
  });

  it('concerns a Yaml repo also while no pass over it was made here', async () => {
    const { repos, poller, interest } = open();
    await poller.tags.look({ repository: web, pushTimes: false });
    interest.learn(repos[0]?.subject ?? '', []);
    const found = await findConcerned(hintOf('ghcr.io', 'acme/web'), { repos, poller, interest });
    assert.deepEqual(
      found,
      repos.slice(1).map(({ subject }) => subject),
    );
  });
});
