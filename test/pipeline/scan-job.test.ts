import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { createScanJob, formatScanSubject } from '../../src/pipeline/scan-job.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';

const { signal } = new AbortController();
const minute = 60_000;
const nginx = { host: 'docker.io', path: 'library/nginx' };

function open() {
  const clock = testClock();
  const tags = ['1.0.0'];
  const registry = fakeRegistry({ listTags: async () => listingOf(...tags) });
  const times = { intervalMs: minute, maxIntervalMs: 5 * minute };
  const poller = createImagePoller(registry, { ...times, concurrency: 4, refreshed: true, clock, signal });
  const changed: string[] = [];
  poller.watch(({ path }) => changed.push(path));
  const job = createScanJob({ tags: poller.tags, clock });
  const scan = (pushTimes = false) => {
    const subject = formatScanSubject({ repository: nginx, pushTimes });
    return job({ subject, dueMs: 0 }, { signal });
  };
  return { clock, tags, registry, poller, changed, scan };
}

describe('createScanJob', () => {
  it('asks when it is time, comes again when it is time again, and has a change told', async () => {
    const { clock, tags, registry, poller, changed, scan } = open();
    await poller.tags.look({ repository: nginx, pushTimes: false });
    assert.deepEqual(await scan(), { againMs: minute });
    assert.equal(registry.asked.length, 1, 'it is not time yet');
    clock.time += minute;
    assert.deepEqual(await scan(), { againMs: minute });
    assert.deepEqual([registry.asked.length, changed], [2, []]);
    clock.time += minute;
    tags.push('1.1.0');
    await scan();
    assert.deepEqual([registry.asked.length, changed], [3, ['library/nginx']]);
  });

  it('waits for no registry once it is to end, and leaves the look to whoever is there then', async () => {
    const clock = testClock();
    const end = new AbortController();
    const job = createScanJob({ tags: { refresh: () => new Promise(() => {}) }, clock });
    const running = job({ subject: 'docker.io/library/nginx', dueMs: 0 }, { signal: end.signal });
    setImmediate(() => end.abort(new Error('no time is left')));
    assert.deepEqual(await running, { againMs: 0 });
  });

  it('spares who looks the waiting while it is at work, and not when it is long overdue', async () => {
    const { clock, registry, poller } = open();
    const look = () => poller.tags.look({ repository: nginx, pushTimes: false });
    await look();
    for (const [passMs, asked] of [
      [2 * minute, 1],
      [minute, 2],
    ] as const) {
      clock.time += passMs;
      await look();
      assert.equal(registry.asked.length, asked);
    }
  });

  it('ends once nobody wants the tags any more, or ever did', async () => {
    const { clock, registry, poller, scan } = open();
    assert.deepEqual(await scan(), { againMs: undefined });
    await poller.tags.look({ repository: nginx, pushTimes: true });
    clock.time += 61 * minute;
    assert.deepEqual(await scan(true), { againMs: undefined });
    assert.deepEqual(registry.asked, ['list docker.io/library/nginx times']);
  });
});
