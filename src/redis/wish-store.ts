/** What is wanted of each subject, and what runs, as all workers see it. */
import { createHash, randomUUID } from 'node:crypto';
import type { JobOutcome, JobRequest, QueueCounts } from '../pipeline/job-ports.ts';
import type { RedisLink } from './open-redis.ts';
import { addScript, countScript, finishScript, takeScript } from './wish-scripts.ts';

/** A job of BullMQ that is to be, whose time is that of a wish. */
export interface Alarm {
  readonly job: string;
  readonly dueMs: number;
  readonly urgent: boolean;
  /** The job that it stands in for; empty where there was none. */
  readonly old: string;
}

/** A run that has begun. */
export interface BegunRun {
  readonly id: string;
  readonly token: string;
  readonly subject: string;
  readonly dueMs: number;
}

interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface WishStore {
  /** The alarms to be set for them. */
  add(jobs: readonly JobRequest[], options: CallOptions): Promise<readonly Alarm[]>;
  /** What a job that rang stands for: a run, an alarm that was lost and is to be set, or nothing. */
  take(job: string): Promise<{ readonly run?: BegunRun; readonly alarm?: Alarm }>;
  /** The alarm to be set, as the outcome and what was added meanwhile want it. */
  finish(run: BegunRun, outcome: JobOutcome): Promise<Alarm | undefined>;
  count(options: CallOptions): Promise<QueueCounts>;
}

/** Subjects that one script takes in: it holds Redis up for some milliseconds. */
const batch = 500;

/** The store of the queue of that name. */
export function createWishStore(link: RedisLink, name: string): WishStore {
  const base = `${link.keyPrefix}${name}:`;
  const keys = [`${base}wishes`, `${base}due`, `${base}running`, `${base}meta`];

  async function call(
    script: string,
    token: string,
    args: readonly (string | number)[],
    about: CallOptions & { task: string },
  ) {
    return await link.ask({ code: 'QueueUnavailable', ...about }, (client) =>
      client.eval(script, keys.length, ...keys, base, token, ...args),
    );
  }

  return {
    async add(jobs, options) {
      const nowMs = Date.now();
      const alarms: Alarm[] = [];
      for (let from = 0; from < jobs.length; from += batch) {
        const asked = jobs.slice(from, from + batch).map(({ subject, delayMs, urgent, ifAbsent = false }) => {
          return { id: toId(subject), subject, dueMs: nowMs + delayMs, urgent, ifAbsent };
        });
        const about = { ...options, task: `add jobs to queue "${name}"` };
        const answer = await call(addScript, randomUUID(), [JSON.stringify(asked), nowMs], about);
        alarms.push(...JSON.parse(String(answer)));
      }
      return alarms;
    },
    async take(job) {
      const id = findWishId(job);
      const token = randomUUID();
      const answer = await call(takeScript, token, [id, job], { task: `begin a job of queue "${name}"` });
      const { run, alarm } = JSON.parse(String(answer));
      if (run === undefined) return alarm === undefined ? {} : { alarm };
      return { run: { id, token, subject: run.s, dueMs: run.d } };
    },
    async finish({ id, token, subject }, { againMs }) {
      const dueMs = againMs === undefined ? {} : { dueMs: Date.now() + againMs };
      const args = [id, token, JSON.stringify({ subject, ...dueMs })];
      const answer = await call(finishScript, randomUUID(), args, { task: `end a job of queue "${name}"` });
      return JSON.parse(String(answer)).alarm;
    },
    async count(options) {
      const nowMs = Date.now();
      const answer = await call(countScript, '', [nowMs], { ...options, task: `count the jobs of queue "${name}"` });
      const [waiting = 0, all = 0, running = 0, first = 0] = (answer as (string | number)[]).map(Number);
      const isKnown = waiting > 0 && Number.isFinite(first);
      return { waiting, delayed: all - waiting, running, oldestMs: isKnown ? Math.max(0, nowMs - first) : 0 };
    },
  };
}

/** Of the wish that an alarm is for: the same for the same subject. */
export function findWishId(job: string): string {
  return job.slice(0, job.indexOf('-'));
}

/** Short, and of signs that BullMQ takes as a part of an id. */
function toId(subject: string): string {
  return createHash('sha256').update(subject).digest('hex').slice(0, 32);
}
