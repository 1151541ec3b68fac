/** A pause that can be ended from outside. */
import type { Clock } from './ports.ts';

export interface Wake {
  /** Ends the pause at once; where none is under way, the next one ends as it begins. Once is as good as often. */
  wake(): void;
  /** Resolves after the time, when woken, or when the signal aborts. */
  pause(ms: number, options: { clock: Pick<Clock, 'sleep'>; signal: AbortSignal }): Promise<void>;
}

export function createWake(): Wake {
  let woken = false;
  let end: (() => void) | undefined;
  return {
    wake() {
      woken = true;
      end?.();
    },
    async pause(ms, { clock, signal }) {
      const abort = new AbortController();
      const finish = () => abort.abort();
      end = finish;
      signal.addEventListener('abort', finish, { once: true });
      if (!woken && !signal.aborted) await clock.sleep(ms, { signal: abort.signal });
      signal.removeEventListener('abort', finish);
      end = undefined;
      woken = false;
    },
  };
}
