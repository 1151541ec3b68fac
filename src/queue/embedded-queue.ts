/** A queue of jobs in this process: what waits is lost with it. */
import type { JobOutcome, JobQueue, RunJob, RunningJob, WorkOptions } from '../pipeline/job-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { createAlarm } from './alarm.ts';
import { createWishes, joinWishes, type Wish } from './wishes.ts';

/** When a job runs again that threw. */
const defectAgainMs = 60_000;

/** One call of `work`. */
interface Worker {
  readonly run: RunJob;
  readonly concurrency: number;
  /** Nothing begins once it aborts. */
  readonly stop: AbortSignal;
  /** Of the jobs under way. */
  readonly signal: AbortSignal;
  readonly underWay: Set<Promise<void>>;
}

/** Nothing waits at first. */
export function createEmbeddedQueue({ clock }: { clock: Pick<Clock, 'nowMs' | 'sleep'> }): JobQueue {
  const wishes = createWishes();
  /** Subjects under way, with what was asked for since they began. */
  const running = new Map<string, Wish | undefined>();
  const workers = new Set<Worker>();
  const alarm = createAlarm(clock, begin);

  function begin(): void {
    for (const worker of workers) {
      while (!worker.stop.aborted && worker.underWay.size < worker.concurrency) {
        const next = wishes.take(clock.nowMs());
        if (next === undefined) {
          setAlarm();
          return;
        }
        start(worker, next);
      }
    }
  }

  function setAlarm(): void {
    const dueMs = wishes.nextDueMs(clock.nowMs());
    if (dueMs === undefined) alarm.clear();
    else alarm.set(dueMs);
  }

  function start(worker: Worker, job: Wish): void {
    running.set(job.subject, undefined);
    const done = runOnce(worker, job).then((outcome) => {
      worker.underWay.delete(done);
      finish(job.subject, outcome);
      begin();
    });
    worker.underWay.add(done);
  }

  function finish(subject: string, { againMs }: JobOutcome): void {
    const held = running.get(subject);
    running.delete(subject);
    if (againMs !== undefined) wishes.add({ subject, dueMs: clock.nowMs() + againMs, urgent: false });
    if (held !== undefined) wishes.add(held);
  }

  function wish(next: Wish): void {
    const held = running.get(next.subject);
    if (running.has(next.subject)) running.set(next.subject, held === undefined ? next : joinWishes(held, next));
    else wishes.add(next);
  }

  return {
    async add(jobs) {
      const nowMs = clock.nowMs();
      for (const { subject, delayMs, urgent, ifAbsent } of jobs) {
        if (ifAbsent === true && (running.has(subject) || wishes.has(subject))) continue;
        wish({ subject, dueMs: nowMs + delayMs, urgent });
      }
      begin();
    },
    async work(run, options) {
      const { worker, ended } = createWorker(run, options, clock);
      workers.add(worker);
      begin();
      await waitForAbort(options.signal);
      workers.delete(worker);
      if (workers.size === 0) alarm.clear();
      await ended();
    },
    async count() {
      const nowMs = clock.nowMs();
      const { due, delayed, firstDueMs = nowMs } = wishes.count(nowMs);
      const held = [...running.values()].filter((next) => next !== undefined);
      const heldDue = held.filter(({ dueMs }) => dueMs <= nowMs);
      const oldest = heldDue.reduce((first, { dueMs }) => Math.min(first, dueMs), firstDueMs);
      return {
        waiting: due + heldDue.length,
        delayed: delayed + held.length - heldDue.length,
        running: running.size,
        oldestMs: Math.max(0, nowMs - oldest),
      };
    },
    async close() {
      alarm.clear();
    },
  };
}

/** The worker; `ended` waits for what it has under way, and aborts that after the time. */
function createWorker(
  run: RunJob,
  { signal, concurrency, drainMs }: WorkOptions,
  clock: Pick<Clock, 'sleep'>,
): { worker: Worker; ended: () => Promise<void> } {
  const end = new AbortController();
  const underWay = new Set<Promise<void>>();
  const worker = { run, concurrency, stop: signal, signal: end.signal, underWay };
  const ended = async (): Promise<void> => {
    const drained = new AbortController();
    const all = Promise.all(underWay).finally(() => drained.abort());
    void clock.sleep(drainMs, { signal: drained.signal }).then(() => end.abort());
    await all;
  };
  return { worker, ended };
}

async function runOnce({ run, signal }: Worker, { subject, dueMs }: Wish): Promise<JobOutcome> {
  const job: RunningJob = { subject, dueMs };
  try {
    return await run(job, { signal });
  } catch {
    return { againMs: defectAgainMs };
  }
}

async function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
