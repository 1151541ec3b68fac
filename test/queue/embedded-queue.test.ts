import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { JobRequest, RunJob } from '../../src/pipeline/job-ports.ts';
import { createEmbeddedQueue } from '../../src/queue/embedded-queue.ts';
import { testJobQueue } from '../contracts/job-queue-contract.ts';

const clock = {
  nowMs: Date.now,
  sleep: (ms: number, options: { signal: AbortSignal }) => wait(ms, undefined, options).catch(() => undefined),
};

testJobQueue('embedded', async () => createEmbeddedQueue({ clock }));

/** A clock that stands until it is moved. */
function standingClock() {
  let nowMs = 1_000_000;
  const sleepers = new Set<{ dueMs: number; wake: () => void }>();
  return {
    nowMs: () => nowMs,
    sleep: (ms: number, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve) => {
        const sleeper = { dueMs: nowMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          resolve();
        });
      }),
    sleepers,
    async move(ms: number): Promise<void> {
      nowMs += ms;
      for (const sleeper of [...sleepers]) {
        if (sleeper.dueMs > nowMs) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
      await wait(0);
    },
  };
}

const add = (subject: string, delayMs: number, urgent = false): JobRequest => ({ subject, delayMs, urgent });
const signal = new AbortController().signal;

describe('embedded queue', () => {
  it('runs one that throws again after a minute', async () => {
    const time = standingClock();
    const queue = createEmbeddedQueue({ clock: time });
    const runs: number[] = [];
    const abort = new AbortController();
    const run: RunJob = async () => {
      runs.push(time.nowMs());
      throw new Error('a defect');
    };
    const done = queue.work(run, { signal: abort.signal, concurrency: 1, drainMs: 0 });
    await queue.add([add('a', 0)], { signal });
    await wait(0);
    await time.move(59_999);
    await time.move(1);
    await time.move(60_000);
    assert.deepEqual(runs, [1_000_000, 1_060_000, 1_120_000]);
    abort.abort();
    await done;
    assert.equal(time.sleepers.size, 0);
  });

  it('sleeps once, until the first is due, and no longer than a timer bears', async () => {
    const time = standingClock();
    const queue = createEmbeddedQueue({ clock: time });
    const abort = new AbortController();
    const begun: string[] = [];
    const run: RunJob = async ({ subject }) => {
      begun.push(subject);
      return { againMs: undefined };
    };
    const done = queue.work(run, { signal: abort.signal, concurrency: 1, drainMs: 0 });
    const yearMs = 365 * 86_400_000;
    await queue.add([add('late', yearMs), add('soon', 1000), add('later', 2000)], { signal });
    const sleeps = () => [...time.sleepers].map(({ dueMs }) => dueMs - time.nowMs());
    assert.deepEqual(sleeps(), [1000]);
    await time.move(1000);
    assert.deepEqual([begun, sleeps()], [['soon'], [1000]]);
    await time.move(1000);
    assert.deepEqual([begun, sleeps()], [['soon', 'later'], [3_600_000]]);
    await time.move(3_600_000);
    assert.deepEqual(sleeps(), [3_600_000]);
    abort.abort();
    await done;
  });

  it('takes 50,000 jobs, made sooner and urgent meanwhile, in the order of urgency and time', async () => {
    const time = standingClock();
    const queue = createEmbeddedQueue({ clock: time });
    const count = 50_000;
    const all = Array.from({ length: count }, (_, index) => index);
    const startMs = performance.now();
    for (const delayMs of [9, 6, 3]) {
      await queue.add(
        all.map((index) => add(`s${index}`, delayMs * count + ((index * 7919) % count))),
        { signal },
      );
    }
    await queue.add([add('s17', 4 * count, true)], { signal });
    await time.move(5 * count);
    const begun: { subject: string; dueMs: number }[] = [];
    const abort = new AbortController();
    const run: RunJob = async (job) => {
      begun.push(job);
      if (begun.length === count) abort.abort();
      return { againMs: undefined };
    };
    await queue.work(run, { signal: abort.signal, concurrency: 8, drainMs: 0 });
    const tookMs = performance.now() - startMs;
    assert.equal(begun.length, count);
    assert.equal(begun[0]?.subject, 's17');
    const times = begun.slice(1).map(({ dueMs }) => dueMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.ok(tookMs < 30_000, `${Math.round(tookMs)} ms`);
  });
});
