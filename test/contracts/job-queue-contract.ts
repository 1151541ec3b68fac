/** What every queue of jobs must do; run against all adapters alike. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type {
  JobOutcome,
  JobQueue,
  JobRequest,
  QueueCounts,
  RunJob,
  RunningJob,
} from '../../src/pipeline/job-ports.ts';
import { waitUntil } from '../wait-until.ts';

const signal = new AbortController().signal;
const never: JobOutcome = { againMs: undefined };
const request = (subject: string, more: Partial<JobRequest> = {}): JobRequest => ({
  subject,
  delayMs: 0,
  urgent: false,
  ...more,
});
const hourMs = 3_600_000;

/** A job under way, and what ends it. */
interface BegunJob extends RunningJob {
  readonly atMs: number;
  readonly signal: AbortSignal;
  end(outcome?: JobOutcome | Error): void;
}

interface Bench {
  readonly queue: JobQueue;
  readonly begun: readonly BegunJob[];
  add(...jobs: readonly JobRequest[]): Promise<void>;
  counts(): Promise<QueueCounts>;
  /** Works until the test ends; the jobs' ends are for the test to call. */
  work(options?: { concurrency?: number; drainMs?: number }): { stop(): Promise<void> };
  /** The job that begins as the n-th, counted from 0. */
  job(index: number): Promise<BegunJob>;
  end(): Promise<void>;
}

/** How long what was promised may take on a busy machine. */
const patienceMs = 20_000;

export async function until(isDone: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await waitUntil(isDone, { timeoutMs: patienceMs, tell: () => what });
}

function openBench(queue: JobQueue): Bench {
  const begun: BegunJob[] = [];
  const stops: (() => Promise<void>)[] = [];
  const run: RunJob = (job, options) =>
    new Promise((resolve, reject) => {
      const end = (outcome: JobOutcome | Error = never): void =>
        outcome instanceof Error ? reject(outcome) : resolve(outcome);
      begun.push({ ...job, atMs: Date.now(), signal: options.signal, end });
    });
  return {
    queue,
    begun,
    add: (...jobs) => queue.add(jobs, { signal }),
    counts: () => queue.count({ signal }),
    work({ concurrency = 1, drainMs = hourMs } = {}) {
      const abort = new AbortController();
      const done = queue.work(run, { signal: abort.signal, concurrency, drainMs });
      const stop = async (): Promise<void> => {
        abort.abort();
        await done;
      };
      stops.push(stop);
      return { stop };
    },
    async job(index) {
      await until(() => begun.length > index, `job ${index} begins`);
      return begun[index] ?? assert.fail();
    },
    async end() {
      let isOver = false;
      const over = Promise.all(stops.map((stop) => stop())).then(() => {
        isOver = true;
      });
      await until(() => {
        for (const job of begun) job.end();
        return isOver;
      }, 'the work ends');
      await over;
      await queue.close();
    },
  };
}

/** Long enough for a job to begin that must not. */
const settle = (): Promise<void> => wait(150);

const rows: Record<string, (bench: Bench) => Promise<void>> = {
  'runs what is added, with its subject as it was given': async ({ add, work, job }) => {
    const subject = `ghcr.io:5000/Ä:b ${'x'.repeat(4000)}`;
    const beforeMs = Date.now();
    await add(request(subject));
    work();
    const first = await job(0);
    assert.equal(first.subject, subject);
    assert.ok(first.dueMs >= beforeMs && first.dueMs <= first.atMs, 'due when it was added');
  },

  'runs what is added while it works': async ({ add, work, job }) => {
    work();
    await settle();
    await add(request('a'));
    assert.equal((await job(0)).subject, 'a');
  },

  'runs what waits once, however often it was added': async ({ add, work, job, begun, counts }) => {
    await add(request('a'), request('a'), request('b'));
    await add(request('a', { delayMs: 50 }));
    assert.equal((await counts()).waiting, 2);
    work({ concurrency: 4 });
    (await job(1)).end();
    (await job(0)).end();
    await settle();
    assert.deepEqual(begun.map(({ subject }) => subject).sort(), ['a', 'b']);
  },

  'runs nothing before its time': async ({ add, work, job }) => {
    work();
    const addedMs = Date.now();
    await add(request('a', { delayMs: 300 }));
    const first = await job(0);
    assert.ok(first.atMs >= addedMs + 299, `began after ${first.atMs - addedMs} ms`);
    assert.ok(Math.abs(first.dueMs - addedMs - 300) < 250, 'due is the time that was asked for');
  },

  'takes the sooner of two times: later first': async ({ add, work, job }) => {
    work();
    await add(request('a', { delayMs: hourMs }));
    await add(request('a', { delayMs: 20 }));
    await job(0);
  },

  'takes the sooner of two times: sooner first': async ({ add, work, job, counts }) => {
    await add(request('a', { delayMs: 20 }));
    await add(request('a', { delayMs: hourMs }));
    work();
    (await job(0)).end();
    await until(async () => (await counts()).running === 0, 'it ends');
    assert.equal((await counts()).delayed, 0);
  },

  'begins the urgent first, and those due longest first among equals': async ({ add, work, job, begun }) => {
    for (const subject of ['a', 'b']) await add(request(subject));
    await add(request('u', { urgent: true }));
    await add(request('v', { urgent: true }));
    work();
    for (const index of [0, 1, 2, 3]) (await job(index)).end();
    assert.deepEqual(
      begun.map(({ subject }) => subject),
      ['u', 'v', 'a', 'b'],
    );
  },

  'makes what waits urgent, and keeps it urgent': async ({ add, work, job, begun }) => {
    await add(request('a'), request('b'));
    await add(request('b', { urgent: true }));
    await add(request('b', { delayMs: 0 }));
    work();
    for (const index of [0, 1]) (await job(index)).end();
    assert.deepEqual(
      begun.map(({ subject }) => subject),
      ['b', 'a'],
    );
  },

  'keeps urgency of what is not due yet': async ({ add, work, job, begun }) => {
    work();
    await add(request('a'));
    const first = await job(0);
    await add(request('u', { urgent: true, delayMs: 100 }));
    await add(request('b', { delayMs: 50 }));
    await wait(1300);
    first.end();
    for (const index of [1, 2]) (await job(index)).end();
    assert.deepEqual(
      begun.map(({ subject }) => subject),
      ['a', 'u', 'b'],
    );
  },

  'runs no subject twice at the same time, and once more after a run it was added in': async (bench) => {
    const { add, work, job, begun } = bench;
    work({ concurrency: 4 });
    await add(request('a'));
    const first = await job(0);
    await add(request('a'));
    await add(request('a', { urgent: true }));
    await settle();
    assert.equal(begun.length, 1, 'not beside its own run');
    first.end({ againMs: undefined });
    const second = await job(1);
    second.end();
    await settle();
    assert.equal(begun.length, 2, 'once more, not twice');
  },

  'swallows nothing urgent that was added in a run by the time that its outcome says': async (bench) => {
    const { add, work, job, begun } = bench;
    work();
    await add(request('a'));
    const first = await job(0);
    await add(request('b'));
    await add(request('a', { urgent: true }));
    await add(request('a', { delayMs: hourMs }));
    first.end({ againMs: hourMs });
    for (const index of [1, 2]) (await job(index)).end();
    assert.deepEqual(
      begun.map(({ subject }) => subject),
      ['a', 'a', 'b'],
    );
  },

  'runs sooner by the outcome than by what was added in the run': async ({ add, work, job }) => {
    work();
    await add(request('a'));
    const first = await job(0);
    await add(request('a', { delayMs: hourMs }));
    first.end({ againMs: 50 });
    await job(1);
  },

  'runs again after the time that the outcome says': async ({ add, work, job }) => {
    work();
    await add(request('a'));
    const first = await job(0);
    const endMs = Date.now();
    first.end({ againMs: 200 });
    const second = await job(1);
    assert.ok(second.atMs >= endMs + 199, `began after ${second.atMs - endMs} ms`);
    second.end({ againMs: 10 });
    await job(2);
  },

  'runs again sooner than its outcome says where it is added meanwhile': async (bench) => {
    const { add, work, job, counts } = bench;
    work();
    await add(request('a'));
    (await job(0)).end({ againMs: hourMs });
    await until(async () => (await counts()).delayed === 1, 'it waits again');
    await add(request('a', { urgent: true }));
    await job(1);
  },

  'does not run again by itself where the outcome says no time': async ({ add, work, job, counts, begun }) => {
    work();
    await add(request('a'));
    (await job(0)).end();
    await until(async () => (await counts()).running === 0, 'it ends');
    assert.deepEqual(await counts(), { waiting: 0, delayed: 0, running: 0, oldestMs: 0 });
    await add(request('a'));
    await job(1);
    assert.equal(begun.length, 2);
  },

  'has one that throws run again, not at once': async ({ add, work, job, counts }) => {
    work();
    await add(request('a'));
    (await job(0)).end(new Error('a defect'));
    await until(async () => (await counts()).delayed === 1, 'it waits again');
    await add(request('a', { urgent: true }));
    await job(1);
  },

  'adds only where there is none, if told so': async ({ add, work, job, counts, begun }) => {
    await add(request('a', { delayMs: hourMs }));
    await add(request('a', { urgent: true, ifAbsent: true }), request('b', { ifAbsent: true }));
    assert.deepEqual(toNumbers(await counts()), { waiting: 1, delayed: 1, running: 0 });
    work({ concurrency: 2 });
    const first = await job(0);
    await add(request('b', { ifAbsent: true }));
    first.end();
    await until(async () => (await counts()).running === 0, 'it ends');
    await settle();
    assert.deepEqual(
      begun.map(({ subject }) => subject),
      ['b'],
    );
  },

  'runs so many at a time as were allowed': async ({ add, work, job, begun, counts }) => {
    await add(...['a', 'b', 'c', 'd', 'e'].map((subject) => request(subject)));
    work({ concurrency: 2 });
    const first = await job(0);
    await job(1);
    await settle();
    assert.equal(begun.length, 2);
    assert.deepEqual(toNumbers(await counts()), { waiting: 3, delayed: 0, running: 2 });
    first.end();
    await job(2);
    await settle();
    assert.equal(begun.length, 3);
  },

  'counts what waits, is delayed and runs, and how long the oldest has been due': async (bench) => {
    const { add, work, job, counts } = bench;
    assert.deepEqual(await counts(), { waiting: 0, delayed: 0, running: 0, oldestMs: 0 });
    await add(request('a', { urgent: true }), request('b'), request('c', { delayMs: hourMs }));
    await wait(60);
    const { oldestMs, ...numbers } = await counts();
    assert.deepEqual(numbers, { waiting: 2, delayed: 1, running: 0 });
    assert.ok(oldestMs >= 55 && oldestMs < patienceMs, `${oldestMs} ms`);
    work();
    const first = await job(0);
    assert.deepEqual(toNumbers(await counts()), { waiting: 1, delayed: 1, running: 1 });
    first.end();
    (await job(1)).end();
    await until(async () => (await counts()).running === 0, 'it ends');
    assert.deepEqual(await counts(), { waiting: 0, delayed: 1, running: 0, oldestMs: 0 });
  },

  'begins nothing new once the signal aborts, and waits for what is under way': async (bench) => {
    const { add, work, job, begun, counts } = bench;
    await add(request('a'), request('b'));
    const { stop } = work();
    const first = await job(0);
    let stopped = false;
    const end = stop().then(() => {
      stopped = true;
    });
    await settle();
    assert.equal(stopped, false);
    assert.equal(first.signal.aborted, false);
    first.end({ againMs: hourMs });
    await end;
    assert.equal(begun.length, 1);
    assert.deepEqual(toNumbers(await counts()), { waiting: 1, delayed: 1, running: 0 });
  },

  "aborts the signal of what is under way after the drain's time": async ({ add, work, job }) => {
    await add(request('a'));
    const { stop } = work({ drainMs: 50 });
    const first = await job(0);
    first.signal.addEventListener('abort', () => first.end({ againMs: 0 }));
    await stop();
    assert.ok(first.signal.aborted);
  },

  'ends at once where nothing is under way': async ({ work }) => {
    const { stop } = work();
    await settle();
    const startMs = Date.now();
    await stop();
    assert.ok(Date.now() - startMs < 2000, `${Date.now() - startMs} ms`);
  },

  'keeps what waits for who works next': async ({ add, work, job, begun }) => {
    const { stop } = work();
    await add(request('a'));
    const first = await job(0);
    await add(request('a'), request('b'));
    first.end();
    await stop();
    work();
    await until(() => {
      for (const later of begun) later.end();
      return begun.length === 3;
    }, 'all have run');
    assert.deepEqual(begun.map(({ subject }) => subject).sort(), ['a', 'a', 'b']);
  },
};

function toNumbers({ waiting, delayed, running }: QueueCounts): Omit<QueueCounts, 'oldestMs'> {
  return { waiting, delayed, running };
}

/** Declares the tests; each asks for an empty queue of its own. */
export function testJobQueue(name: string, open: () => Promise<JobQueue>): void {
  describe(`job queue contract: ${name}`, { concurrency: true }, () => {
    for (const [title, check] of Object.entries(rows)) {
      it(title, async () => {
        const bench = openBench(await open());
        try {
          await check(bench);
        } finally {
          await bench.end();
        }
      });
    }
  });
}
