/** Sleep that something new ends. */
import type { Clock } from './ports.ts';

export interface Bell {
  ring(): void;
  /** Until that time by the clock, until it rings or the signal aborts; after a ring a moment more, for what comes along. */
  wait(untilMs: number, signal: AbortSignal): Promise<void>;
}

/** Changes come in bursts: what comes within that time is looked at together. */
const burstMs = 200;

/** Wakes who waits; what rings while nobody waits is not lost. */
export function createBell(clock: Pick<Clock, 'nowMs' | 'sleep'>): Bell {
  let rang = false;
  let stop: AbortController | undefined;
  const ring = (): void => {
    rang = true;
    stop?.abort();
  };
  async function sleep(ms: number, signal: AbortSignal, isWoken: boolean): Promise<void> {
    const sleeping = new AbortController();
    const end = () => sleeping.abort();
    if (isWoken) stop = sleeping;
    signal.addEventListener('abort', end, { once: true });
    try {
      if (!signal.aborted) await clock.sleep(Math.max(0, ms), { signal: sleeping.signal });
    } finally {
      signal.removeEventListener('abort', end);
      stop = undefined;
    }
  }
  return {
    ring,
    async wait(untilMs, signal) {
      if (!rang) await sleep(untilMs - clock.nowMs(), signal, true);
      if (rang) await sleep(burstMs, signal, false);
      rang = false;
    },
  };
}
