/** A pause that can be ended from outside. */
import type { Clock } from './ports.ts';

export interface Wake {
  /** Ends the pause; where none is under way, the next one ends as it begins. Once is as good as often. */
  wake(): void;
  /** Resolves after the time, so long after it was woken that what comes together is one pass, or when the signal aborts. */
  pause(ms: number, options: { clock: Pick<Clock, 'sleep'>; signal: AbortSignal }): Promise<void>;
}

/** `batchMs` is waited for more once woken, however often; 0 for not at all. */
export function createWake({ batchMs = 0 }: { batchMs?: number } = {}): Wake {
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
      // From the first wake on, not the last: else a stream of them would put the pass off for ever.
      if (woken && batchMs > 0 && !signal.aborted) await clock.sleep(batchMs, { signal });
      woken = false;
    },
  };
}
