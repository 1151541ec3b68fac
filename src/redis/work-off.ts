/** Begins what rings, and ends it, until there is to be no more. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { JobOutcome, RunJob, WorkOptions } from '../pipeline/job-ports.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import type { AlarmBell, AlarmQueue, RungAlarm } from './bull.ts';
import { type BegunRun, findWishId, type WishStore } from './wish-store.ts';

export interface WorkTools {
  readonly wishes: WishStore;
  readonly alarms: AlarmQueue;
  readonly bell: AlarmBell;
  readonly lockMs: number;
}

/** When a job runs again that threw. */
const defectAgainMs = 60_000;
/** Alarms ring so much before their time at most. */
const longestEarlyMs = 1000;
/** Between two tries while Redis is away. */
const retryMs = 500;
/** So long after its signal aborted a run may still be told to Redis: where that says nothing, another worker runs it again. */
const tellMs = 1000;

/** Resolves once the signal aborted and nothing is under way. */
export async function workOff(tools: WorkTools, run: RunJob, options: WorkOptions): Promise<void> {
  const { bell, lockMs } = tools;
  const end = new AbortController();
  const leave = new AbortController();
  const stop = new AbortController();
  const underWay = new Map<RungAlarm, Promise<void>>();
  const isOver = (): boolean => options.signal.aborted;
  options.signal.addEventListener('abort', () => bell.interrupt(), { once: true });
  const extending = extendLocks({ bell, underWay, lockMs }, stop.signal);

  const begin = (alarm: RungAlarm): void => {
    const how = { run, signal: end.signal, leave: leave.signal, isOver };
    // Where this process stood still for longer than its lock lasts, it may be given its own job again.
    const [, before] = [...underWay].findLast(([{ job }]) => findWishId(job) === findWishId(alarm.job)) ?? [];
    const job = before === undefined ? runAlarm(tools, alarm, how) : before.then(() => runNext(alarm, how));
    underWay.set(
      alarm,
      job.finally(() => underWay.delete(alarm)),
    );
  };

  const runNext = async (alarm: RungAlarm, how: Run): Promise<void> => {
    if (isOver()) await orAborted(alarm.giveBack(), leave.signal).catch(() => {});
    else await runAlarm(tools, alarm, how);
  };

  while (!isOver()) {
    if (underWay.size >= options.concurrency) {
      await orAborted(Promise.race(underWay.values()), options.signal);
      continue;
    }
    const next = bell.next(randomUUID()).catch(() => 'failed' as const);
    const alarm = await orAborted(next, options.signal);
    if (isOver()) await Promise.race([giveBack(next), wait(retryMs)]);
    else if (alarm === 'failed') await orAborted(wait(retryMs), options.signal);
    else if (alarm !== undefined && alarm !== 'aborted') begin(alarm);
  }

  const drained = new AbortController();
  void abortLater([end, leave], [options.drainMs, tellMs], drained.signal);
  await Promise.all(underWay.values());
  drained.abort();
  stop.abort();
  await extending;
}

/** One after the other, each after its time, unless the signal aborts before. */
async function abortLater(
  controllers: readonly AbortController[],
  timesMs: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (const [index, controller] of controllers.entries()) {
    await wait(timesMs[index], undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    controller.abort();
  }
}

/** One that rang at the last moment is for others. */
async function giveBack(next: Promise<RungAlarm | 'failed' | undefined>): Promise<void> {
  const alarm = await next;
  if (alarm !== undefined && alarm !== 'failed') await alarm.giveBack().catch(() => {});
}

interface Run {
  readonly run: RunJob;
  readonly signal: AbortSignal;
  /** Aborts where Redis is not waited for any more. */
  readonly leave: AbortSignal;
  readonly isOver: () => boolean;
}

/** Never rejects: what could not be told to Redis is run again by whoever takes the alarm over. */
async function runAlarm({ wishes, alarms, lockMs }: WorkTools, alarm: RungAlarm, how: Run): Promise<void> {
  const tell = async <Value>(step: Promise<Value>): Promise<Value> => {
    const told = await orAborted(step, how.leave);
    if (told === 'aborted') throw new Error('Redis does not answer');
    return told;
  };
  const insist = <Value>(step: () => Promise<Value>): Promise<Value> => tryFor(lockMs, how.isOver, () => tell(step()));
  try {
    const earlyMs = Math.min(longestEarlyMs, alarm.dueMs - Date.now());
    if (earlyMs > 0) await wait(earlyMs, undefined, { signal: how.signal }).catch(() => {});
    if (how.signal.aborted) return await tell(alarm.giveBack());
    const taken = await insist(() => wishes.take(alarm.job));
    const next = taken.run === undefined ? taken.alarm : await runAndFinish(taken.run);
    if (next !== undefined) await insist(() => alarms.set([next], {}));
    await tell(alarm.done());
  } catch {
    // It is still under way by the books of Redis, or Redis has forgotten it.
  }

  async function runAndFinish(begun: BegunRun) {
    const outcome = await runOnce(begun, how);
    return await insist(() => wishes.finish(begun, outcome));
  }
}

async function runOnce({ subject, dueMs }: BegunRun, { run, signal }: Run): Promise<JobOutcome> {
  try {
    return await run({ subject, dueMs }, { signal });
  } catch {
    return { againMs: defectAgainMs };
  }
}

/** Tries again for so long; once it is over, no more. */
async function tryFor<Value>(ms: number, isOver: () => boolean, step: () => Promise<Value>): Promise<Value> {
  const endMs = Date.now() + ms;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (isOver() || Date.now() >= endMs) throw error;
      await wait(retryMs);
    }
  }
}

async function extendLocks(
  { bell, underWay, lockMs }: Pick<WorkTools, 'bell' | 'lockMs'> & { underWay: ReadonlyMap<RungAlarm, unknown> },
  stop: AbortSignal,
): Promise<void> {
  for (;;) {
    await wait(lockMs / 3, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return;
    // Where it fails, another worker may begin the same: at least once.
    if (underWay.size > 0)
      await orAborted(
        bell.extend([...underWay.keys()]).catch(() => {}),
        stop,
      );
  }
}

/** What the promise gives, or `aborted` where that is sooner. */
async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value | 'aborted'> {
  try {
    return await untilAborted(promise, signal);
  } catch (error) {
    if (signal.aborted) return 'aborted';
    throw error;
  }
}
