import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { createWorker } from '../../src/pipeline/run-jobs.ts';
import { createEmbeddedQueue } from '../../src/queue/embedded-queue.ts';
import { fakeRegistry, handClock, listingOf } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { recordingLog } from './recording-log.ts';

const minute = 60_000;

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !holds(); turns += 1) await new Promise(setImmediate);
  assert.ok(holds());
}

function open({ begin = () => {} }: { begin?: () => void } = {}) {
  const clock = handClock();
  const end = new AbortController();
  const tags = ['1.0.0'];
  const registry = fakeRegistry({ listTags: async () => listingOf(...tags) });
  const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'));
  const times = { intervalMs: minute, maxIntervalMs: minute };
  const settings = { ...times, concurrency: 4, refreshed: true, clock, signal: end.signal };
  const poller = createImagePoller(registry, settings);
  const { log, lines } = recordingLog();
  let passes = 0;
  const context = { ...passOver(repo, registry, clock), poller };
  const address = 'https://git.example/deploy.git';
  const worker = createWorker([{ subject: 'deploy', address, branch: undefined, context }], {
    queues: { passes: createEmbeddedQueue({ clock }), scans: createEmbeddedQueue({ clock }) },
    poller,
    clock,
    log,
    intervalMs: 10 * minute,
    batchMs: 200,
    passConcurrency: 1,
    scanConcurrency: 4,
    drainMs: 1000,
    observers: [
      {
        begin,
        end: () => {
          passes += 1;
        },
      },
    ],
  });
  const done = worker.run({ signal: end.signal });
  const stop = async () => {
    end.abort(new Error('stopped'));
    await done;
  };
  return { clock, tags, repo, registry, worker, lines, stop, end, passes: () => passes };
}

describe('createWorker', () => {
  it('makes a pass at once, and another when a scan finds a new tag, long before its own time', async () => {
    const { clock, tags, repo, stop, passes } = open();
    await until(() => passes() === 1);
    tags.push('1.1.0', '1.2.0');
    // The scan learns when it is time, and is there then; the pass for what it found waits for more of it.
    for (const ms of [1000, 70_000, 200]) {
      await until(() => clock.sleepers >= 3);
      for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
      clock.pass(ms);
    }
    await until(() => passes() === 2);
    assert.match(repo.read('web-0.yaml'), /1\.2\.0/);
    await stop();
  });

  it('tries again what failed once credentials have changed, long before its own time', async () => {
    const { clock, tags, repo, registry, worker, stop, end, passes } = open();
    await until(() => passes() === 1);
    const denied = new TallymanError('SecretUnavailable', 'Cannot use Secret "shop/registry"');
    tags.push('1.1.0');
    registry.listTags = async () => Promise.reject(denied);
    for (const ms of [1000, 70_000, 200]) {
      await until(() => clock.sleepers >= 3);
      for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
      clock.pass(ms);
    }
    for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
    assert.equal(passes(), 1);
    registry.listTags = async () => listingOf(...tags);
    worker.tryAgain({ signal: end.signal });
    await until(() => clock.sleepers >= 3);
    for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
    clock.pass(200);
    await until(() => passes() === 2);
    assert.match(repo.read('web-0.yaml'), /1\.1\.0/);
    await stop();
  });

  it('tells a job that throws, which is a defect, and has it run again', async () => {
    const { clock, lines, stop, passes } = open({ begin: () => assert.fail('a bug') });
    await until(() => lines.length === 1);
    assert.match(lines[0] ?? '', /^warn Cannot go on: .*a bug/);
    for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
    clock.pass(60_000);
    await until(() => lines.length === 2);
    assert.equal(passes(), 0);
    await stop();
  });

  it('makes a pass for a push that a webhook tells, and none for another repo', async () => {
    const { clock, worker, stop, passes, end } = open();
    await until(() => passes() === 1);
    const push = (url: string) =>
      worker.takeHint({ kind: 'push', repoUrls: [url], branch: 'main', defaultBranch: 'main' }, { signal: end.signal });
    assert.equal(await push('https://git.example/other.git'), 0);
    assert.equal(await push('https://git.example/deploy.git'), 1);
    for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
    clock.pass(200);
    await until(() => passes() === 2);
    await stop();
  });
});
