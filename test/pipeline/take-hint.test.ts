import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { takeHint } from '../../src/pipeline/take-hint.ts';
import { fakeRegistry, testClock } from './fake-registry.ts';

const { signal } = new AbortController();

function open() {
  const woken: string[] = [];
  const watch = (address: string, branch: string | undefined) => ({
    address,
    branch,
    wake: { wake: () => void woken.push(`${address} ${branch}`) },
  });
  const repos = [
    watch('https://git.example/acme/deploy.git', 'main'),
    watch('https://git.example/acme/deploy.git', 'next'),
    watch('https://git.example/acme/other.git', undefined),
  ];
  const registry = fakeRegistry();
  const settings = { intervalMs: 3_600_000, maxIntervalMs: 3_600_000, concurrency: 4, signal };
  const poller = createImagePoller(registry, { ...settings, clock: testClock() });
  return { repos, poller, registry, woken };
}

describe('takeHint of a push', () => {
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
    it(`to ${branch} of ${url} wakes ${wanted.length}`, () => {
      const { repos, poller, woken } = open();
      const hint = { kind: 'push', repoUrls: ['https://elsewhere.example/x', url], branch, defaultBranch } as const;
      assert.equal(takeHint(hint, { repos, poller }), wanted.length);
      assert.deepEqual(
        woken,
        wanted.map((index) => `${repos[index]?.address} ${repos[index]?.branch}`),
      );
    });
});

describe('takeHint of images', () => {
  it('has the registry asked again and wakes all, if a policy has one of them', async () => {
    const { repos, poller, registry, woken } = open();
    const web = { repository: { host: 'ghcr.io', path: 'acme/web' }, pushTimes: false };
    const hint = (host: string | undefined, path: string) => ({ kind: 'images', images: [{ host, path }] }) as const;
    assert.equal(takeHint(hint('ghcr.io', 'acme/web'), { repos, poller }), 0, 'nobody asked for it yet');
    await poller.tags.look(web);
    assert.equal(takeHint(hint('ghcr.io', 'acme/other'), { repos, poller }), 0);
    await poller.tags.look(web);
    assert.equal(registry.asked.length, 1);
    for (const host of ['ghcr.io', undefined]) {
      assert.equal(takeHint(hint(host, 'acme/web'), { repos, poller }), 3);
      await poller.tags.look(web);
      await poller.tags.look(web);
    }
    assert.deepEqual([registry.asked.length, woken.length], [3, 6]);
  });
});
