/** Sleep that something new ends. */
import type { Clock } from './ports.ts';

export interface Bell {
  /** Something is new: by and by, or at once where somebody waits. */
  ring(how: 'softly' | 'loudly'): void;
  /** Until that time by the clock, until it rings or the signal aborts; after a soft ring as long as `findPauseMs` says, for what comes along. */
  wait(untilMs: number, options: { readonly findPauseMs: () => number; readonly signal: AbortSignal }): Promise<void>;
}

/** What rings while nobody waits is not lost. */
export function createBell(clock: Pick<Clock, 'nowMs' | 'sleep'>): Bell {
  let rang: 'softly' | 'loudly' | undefined;
  let sleeping: { readonly stop: AbortController; readonly isDeep: boolean } | undefined;

  async function sleep(ms: number, { signal, isDeep }: { signal: AbortSignal; isDeep: boolean }): Promise<void> {
    const stop = new AbortController();
    const end = () => stop.abort();
    sleeping = { stop, isDeep };
    signal.addEventListener('abort', end, { once: true });
    try {
      if (!signal.aborted) await clock.sleep(Math.max(0, ms), { signal: stop.signal });
    } finally {
      signal.removeEventListener('abort', end);
      sleeping = undefined;
    }
  }

  return {
    ring(how) {
      if (rang !== 'loudly') rang = how;
      if (how === 'loudly' || sleeping?.isDeep === false) sleeping?.stop.abort();
    },
    async wait(untilMs, { findPauseMs, signal }) {
      if (rang === undefined) await sleep(untilMs - clock.nowMs(), { signal, isDeep: false });
      if (rang === 'softly') await sleep(findPauseMs(), { signal, isDeep: true });
      rang = undefined;
    },
  };
}
