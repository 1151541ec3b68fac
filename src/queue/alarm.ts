import type { Clock } from '../pipeline/ports.ts';

/** Rings once at the moment it was set to last. */
export interface Alarm {
  /** In milliseconds since 1970; what it was set to before counts no more. */
  set(dueMs: number): void;
  clear(): void;
}

/** Timers bear no more than 24 days; one that rings too soon is for who set it to set again. */
const longestSleepMs = 3_600_000;

/** An alarm that is not set. */
export function createAlarm(clock: Pick<Clock, 'nowMs' | 'sleep'>, ring: () => void): Alarm {
  let set = { dueMs: Number.POSITIVE_INFINITY, abort: new AbortController() };
  const clear = (): void => {
    set.abort.abort();
    set = { dueMs: Number.POSITIVE_INFINITY, abort: new AbortController() };
  };
  return {
    clear,
    set(dueMs) {
      if (dueMs === set.dueMs) return;
      clear();
      set.dueMs = dueMs;
      const { signal } = set.abort;
      void clock.sleep(Math.min(dueMs - clock.nowMs(), longestSleepMs), { signal }).then(() => {
        if (signal.aborted) return;
        clear();
        ring();
      });
    },
  };
}
