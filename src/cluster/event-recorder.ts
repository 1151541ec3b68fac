/** Tells people through Kubernetes Events, at a pace the API server bears, and after it was away. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { EventRecorder } from '../pipeline/cluster-ports.ts';
import type { Metrics, Sample } from '../pipeline/metrics-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { createBell } from './bell.ts';
import { createEventBook, type Entry, maxWaiting } from './event-book.ts';
import type { EventSender, Told } from './send-event.ts';

export interface RecorderOptions {
  readonly sender: EventSender;
  readonly clock: Clock;
  readonly forgetMs: number;
  readonly metrics: () => Pick<Metrics, 'count'>;
  /** Whether it is known which objects the cluster has: events are better told after that. */
  readonly isReady: () => boolean;
  /** Tells what keeps events from being told where they belong. */
  readonly onProblem: (problem: Problem | undefined) => void;
  /** Tells that some are lost. */
  readonly onLoss: (problem: Problem | undefined) => void;
}

export interface RunningRecorder extends EventRecorder {
  /** Tells until the signal aborts. Never throws. */
  run(options: { signal: AbortSignal }): Promise<void>;
  /** Tells what is still to be told until there is nothing, nothing may be told, or the signal aborts; what is left then is lost. Never throws. */
  flush(options: { signal: AbortSignal }): Promise<void>;
  countUntold(): number;
  listSamples(): readonly Sample[];
}

/** Events that may follow each other at once, and so many in a second after that. */
const burst = 50;
const perSecond = 10;
const firstPauseMs = 1000;
/** It costs a request to find that it is back; what a person has to allow first may take longer. */
const maxPauseMs = 15_000;
const maxDeniedPauseMs = 300_000;
const maxReadyMs = 5000;

/** Nothing is told before `run` or `flush`. */
export function createEventRecorder(options: RecorderOptions): RunningRecorder {
  const { sender, clock, metrics, onProblem, onLoss } = options;
  const bell = createBell(clock);
  const pace = createPace(clock);
  const book = createEventBook({
    clock,
    forgetMs: options.forgetMs,
    onNews: bell.ring,
    onDropped: (count) => lose(count, `more than ${maxWaiting} wait to be told, fewer were wanted`),
  });
  let pauseMs = 0;
  /** How long it is waited for what objects there are, by the steady clock. */
  let readyMs: number | undefined;

  function lose(count: number, why: string): void {
    metrics().count('tallyman_events_dropped_total', {}, count);
    onLoss(createProblem('ClusterUnavailable', `Cannot tell ${count} ${count === 1 ? 'Event' : 'Events'}: ${why}`));
  }

  /** What kept it from being told, if anything did. */
  async function tell(entry: Entry, signal: AbortSignal): Promise<Problem | undefined> {
    let outcome: Told;
    let problem: Problem | undefined;
    try {
      outcome = await sender.send(entry, { signal });
    } catch (error) {
      problem = toProblem(error);
      if (signal.aborted || problem.code !== 'Internal') {
        book.giveBack(entry);
        if (!signal.aborted) pause(problem);
        return problem;
      }
      // A fault of ours is there at the next try too.
      outcome = 'refused';
    }
    if (outcome === 'refused') Object.assign(entry, { known: entry.known ?? unread, told: entry.seen });
    book.settle(entry);
    metrics().count('tallyman_events_total', { outcome });
    onProblem(problem ?? sender.findTrouble());
    pauseMs = 0;
    if (book.countUntold() === 0) onLoss(undefined);
    return undefined;
  }

  function pause(problem: Problem): void {
    onProblem(problem);
    readyMs = undefined;
    const maxPause = problem.code === 'ClusterDenied' ? maxDeniedPauseMs : maxPauseMs;
    pauseMs = Math.min(Math.max(firstPauseMs, 2 * pauseMs), maxPause);
  }

  async function waitUntilReady(signal: AbortSignal): Promise<void> {
    readyMs ??= clock.nowMs() + maxReadyMs;
    while (!options.isReady() && clock.nowMs() < readyMs && !signal.aborted) await clock.sleep(50, { signal });
  }

  /** Tells the next one. */
  async function step(signal: AbortSignal): Promise<Step> {
    if (pauseMs > 0) await clock.sleep(pauseMs * (0.5 + clock.random()), { signal });
    const next = signal.aborted ? undefined : book.take();
    if (next === undefined) return { restMs: Number.POSITIVE_INFINITY };
    if (typeof next === 'number') return { restMs: next - clock.nowMs() };
    await waitUntilReady(signal);
    await pace(signal);
    if (!signal.aborted) return { restMs: 0, problem: await tell(next, signal) };
    book.giveBack(next);
    return { restMs: 0 };
  }

  return {
    record: book.record,
    keep: book.keep,
    countUntold: book.countUntold,
    listSamples: () => [{ name: 'tallyman_events_waiting', labels: {}, value: book.countUntold() }],
    async run({ signal }) {
      for (const outcome of outcomes) metrics().count('tallyman_events_total', { outcome }, 0);
      metrics().count('tallyman_events_dropped_total', {}, 0);
      while (!signal.aborted) {
        const { restMs } = await step(signal);
        if (restMs > 0) await bell.wait(restMs, signal);
      }
    },
    async flush({ signal }) {
      pauseMs = 0;
      let problem: Problem | undefined;
      while (!signal.aborted && book.countUntold() > 0 && problem?.code !== 'ClusterDenied')
        problem = (await step(signal)).problem;
      const left = book.forget();
      if (left > 0) lose(left, 'the program ended before, more time was wanted');
    },
  };
}

interface Step {
  /** How long there is nothing to tell. */
  readonly restMs: number;
  readonly problem?: Problem | undefined;
}

const outcomes = ['created', 'repeated', 'refused'] as const;
const unread = { count: 1, resourceVersion: undefined };

/** Waits until one more may be told. */
function createPace(clock: Clock): (signal: AbortSignal) => Promise<void> {
  let [left, sinceMs] = [burst, clock.nowMs()];
  return async (signal) => {
    const nowMs = clock.nowMs();
    left = Math.min(burst, left + ((nowMs - sinceMs) / 1000) * perSecond);
    sinceMs = nowMs;
    if (left < 1) await clock.sleep(((1 - left) / perSecond) * 1000, { signal });
    left -= 1;
  };
}
