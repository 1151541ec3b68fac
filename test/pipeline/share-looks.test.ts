import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import type { Registry } from '../../src/pipeline/ports.ts';
import { type PassContext, runPass } from '../../src/pipeline/run-pass.ts';
import { fakeRegistry, hang, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const minute = 60_000;
const files = repoFiles('select: {semver: "*"}');
const lists = (asked: readonly string[]) => asked.filter((line) => line.startsWith('list')).length;

function openRepos(listTags: Registry['listTags'] = async () => listingOf('1.1.0')) {
  const registry = fakeRegistry({ listTags });
  const clock = testClock();
  const times = { intervalMs: minute, maxIntervalMs: minute };
  const poller = createImagePoller(registry, { ...times, concurrency: 4, clock, signal });
  const open = (races = 0) => {
    const repo = fakeYamlRepo(files, { races });
    const context: PassContext = { ...passOver(repo, registry, clock), poller };
    return { repo, context };
  };
  return { registry, clock, open };
}

describe('Yaml repos that share a poller', () => {
  it('share one look, at the same time and one after the other, and both are written', async () => {
    const { registry, clock, open } = openRepos();
    const repos = [open(), open(), open()];
    await Promise.all(repos.slice(0, 2).map(({ context }) => runPass(context, { signal })));
    clock.time += minute / 2;
    await runPass(repos[2]?.context ?? open().context, { signal });
    assert.equal(lists(registry.asked), 1);
    for (const { repo } of repos) assert.match(repo.read('web-0.yaml'), /1\.1\.0/);
    clock.time += minute;
    await Promise.all(repos.map(({ context }) => runPass(context, { signal })));
    assert.equal(lists(registry.asked), 2);
  });

  it('does not take the look from the other where one stops', async () => {
    const { registry, open } = openRepos(hang);
    const [first, second] = [new AbortController(), new AbortController()];
    const passes = [first, second].map((abort) => runPass(open().context, { signal: abort.signal }));
    while (registry.asked.length === 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    first.abort(new Error('first stopped'));
    await assert.rejects(Promise.resolve(passes[0]), /first stopped/);
    second.abort(new Error('second stopped'));
    await assert.rejects(Promise.resolve(passes[1]), /second stopped/);
    assert.equal(lists(registry.asked), 1);
  });
});

describe('Yaml repos that share a poller and follow a moving tag', () => {
  const gets = (asked: readonly string[]) => asked.filter((line) => line.startsWith('get')).length;
  const moving = repoFiles('select: {digest: main}', ['main']);

  it('share one manifest in an interval, and what it fails with', async () => {
    for (const fetchManifest of [async () => manifestWith(), () => Promise.reject(unavailable)]) {
      const registry = fakeRegistry({ listTags: async () => listingOf('main'), fetchManifest });
      const clock = testClock();
      const settings = { intervalMs: minute, maxIntervalMs: minute, concurrency: 4, clock, signal };
      const poller = createImagePoller(registry, settings);
      const contexts = [1, 2, 3, 4].map(() => ({ ...passOver(fakeYamlRepo(moving), registry, clock), poller }));
      for (const wanted of [1, 1, 2]) {
        await Promise.all(contexts.map((context) => runPass(context, { signal })));
        assert.equal(gets(registry.asked), wanted);
        clock.time += minute / 2;
      }
    }
  });
});

describe('a pass that lost push races', () => {
  for (const name of ['with a poller', 'without'] as const) {
    it(`does not ask again ${name}`, async () => {
      const { registry, open } = openRepos();
      const { repo, context } = open(3);
      const { poller, ...alone } = context;
      const report = await runPass(name === 'without' ? alone : { ...alone, ...(poller && { poller }) }, { signal });
      assert.deepEqual([report.tries, registry.asked.length], [4, 2]);
      assert.match(repo.read('web-0.yaml'), /1\.1\.0/);
    });
  }
});
