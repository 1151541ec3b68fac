/** Sleep that something new ends; what rings while nobody waits is not lost. */
import type { Clock } from '../pipeline/ports.ts';

export interface Bell {
  ring(): void;
  /** Until the time is over, it rings or the signal aborts; at once where it rang since the last wait. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Pick<Clock, 'sleep'>): Bell {
  let wake: (() => void) | undefined;
  let rang = false;
  return {
    ring() {
      rang = true;
      wake?.();
    },
    async wait(ms, signal) {
      // What is aborted already tells nobody any more.
      if (!rang && !signal.aborted) {
        const pause = new AbortController();
        const end = () => pause.abort(new Error('rang'));
        wake = end;
        signal.addEventListener('abort', end, { once: true });
        // Timers count to 24 days at most.
        await clock.sleep(Math.min(ms, 3_600_000), { signal: pause.signal });
        signal.removeEventListener('abort', end);
        wake = undefined;
      }
      rang = false;
    },
  };
}
