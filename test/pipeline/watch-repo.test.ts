import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProblem } from '../../src/error/problem.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createHoldMemory } from '../../src/pipeline/find-holds.ts';
import type { Clock, Log } from '../../src/pipeline/ports.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import { createWake } from '../../src/pipeline/wake.ts';
import { createProblemTeller, watchRepo } from '../../src/pipeline/watch-repo.ts';
import { fakeRegistry, handClock, listingOf } from './fake-registry.ts';
import { fakeYamlRepo, passOver } from './fake-yaml-repo.ts';

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level} ${message}`);
  };
  return { log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }, lines };
}

describe('createProblemTeller', () => {
  it('tells a problem when it comes and when it goes, not in between', () => {
    const { log, lines } = recordingLog();
    const teller = createProblemTeller(log);
    const problem = createProblem('PolicyInvalid', 'Cannot do it');
    teller.tell([problem]);
    teller.tell([problem]);
    teller.tell([]);
    assert.deepEqual(lines, ['warn Cannot do it', 'info over: Cannot do it']);
  });
});

describe('createProblemTeller on numbers', () => {
  it('takes a message whose numbers change for the same problem', () => {
    const { log, lines } = recordingLog();
    const teller = createProblemTeller(log);
    teller.tell([createProblem('RegistryUnavailable', 'Cannot list: it asks to wait 21 s')]);
    teller.tell([createProblem('RegistryUnavailable', 'Cannot list: it asks to wait 20 s')]);
    assert.equal(lines.length, 1);
  });
});

describe('watchRepo', () => {
  it('waits longer after each failure, goes on, and ends with the signal', async () => {
    const abort = new AbortController();
    const waits: number[] = [];
    const clock: Clock = {
      nowMs: () => 0,
      random: () => 0.5,
      async sleep(ms) {
        waits.push(Math.round(ms));
        if (waits.length === 4) abort.abort();
      },
    };
    let looks = 0;
    const repo = {
      async fetch() {
        looks += 1;
        if (looks === 4) return { commit: 'c', branch: 'main', files: [] };
        throw new TallymanError('RepoUnavailable', 'Cannot reach it');
      },
      readBlobs: async () => new Map(),
      push: async () => ({ kind: 'moved' }) as const,
      listCommits: async () => ({ commits: [], complete: true, cut: undefined }),
      findFiles: async () => new Map(),
      findGoneFiles: async () => new Map(),
    };
    const registry = {
      listTags: async () => ({ tags: [], pushedMs: undefined }),
      fetchManifest: async () => ({ digest: '', annotations: {}, platforms: undefined }),
    };
    const { log, lines } = recordingLog();
    const author = { name: 'a', email: 'b' };
    const context = {
      repo,
      registry,
      clock,
      memory: createRepoMemory(['.']),
      holds: createHoldMemory(),
      author,
      concurrency: 1,
      allowedRegistries: undefined,
    };
    await watchRepo(context, { intervalMs: 1000, log, signal: abort.signal });
    assert.deepEqual(waits, [2000, 4000, 8000, 1000]);
    assert.deepEqual(lines, ['warn Cannot reach it', 'debug pass done', 'info over: Cannot reach it']);
  });
});

describe('watchRepo with a wake', () => {
  it('makes one more pass for all that came during one, and says when a pass is over', async () => {
    const abort = new AbortController();
    const wake = createWake();
    const did: string[] = [];
    const clock: Clock = {
      nowMs: () => 0,
      random: () => 0.5,
      async sleep() {
        did.push('sleep');
        abort.abort();
      },
    };
    const repo = fakeYamlRepo({});
    const fetch = (options: { signal: AbortSignal }) => {
      did.push('fetch');
      if (did.length === 1) for (let times = 0; times < 3; times += 1) wake.wake();
      return repo.fetch(options);
    };
    const context = { ...passOver({ ...repo, fetch }, fakeRegistry()), clock };
    const { log } = recordingLog();
    await watchRepo(context, { intervalMs: 1000, log, signal: abort.signal, wake, onPass: () => did.push('over') });
    assert.deepEqual(did, ['fetch', 'over', 'fetch', 'over', 'sleep']);
  });

  it('writes in one commit what is published within the window', async () => {
    const abort = new AbortController();
    const clock = handClock();
    const wake = createWake({ batchMs: 200 });
    const names = ['web', 'api', 'worker'];
    const repo = fakeYamlRepo(Object.assign({}, ...names.map(releaseFiles)));
    const published = new Map<string, string>();
    const registry = fakeRegistry({ listTags: async ({ path }) => listingOf('1.0.0', published.get(path) ?? '1.0.0') });
    const { log, lines } = recordingLog();
    let passes = 0;
    const onPass = () => {
      passes += 1;
    };
    const watching = watchRepo(passOver(repo, registry, clock), {
      intervalMs: 60_000,
      log,
      signal: abort.signal,
      wake,
      onPass,
    });
    await until(() => passes === 1 && clock.sleepers === 1);
    for (const name of names) {
      published.set(`acme/${name}`, '1.1.0');
      wake.wake();
      await until(() => clock.sleepers === 1);
      clock.pass(60);
    }
    assert.equal(passes, 1);
    clock.pass(20);
    await until(() => passes === 2);
    abort.abort();
    await watching;
    assert.equal(lines.filter((line) => line.startsWith('info ')).length, 3);
    assert.equal(repo.messages.length, 2);
  });
});

/** A policy and a place of its image. */
function releaseFiles(name: string): Record<string, string> {
  const image = `ghcr.io/acme/${name}`;
  return {
    [`${name}/policy.yaml`]: `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {image: ${image}, select: {semver: "*"}}\n`,
    [`${name}/app.yaml`]: `image: ${image}:1.0.0\n`,
  };
}

async function until(isDone: () => boolean): Promise<void> {
  for (let turns = 0; !isDone(); turns += 1) {
    assert.ok(turns < 10_000, 'it never came');
    await new Promise(setImmediate);
  }
}
