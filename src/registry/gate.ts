/** Lets only so many through at once for each key; the others wait their turn, first come, first served. */
import { setMaxListeners } from 'node:events';

export interface Gate {
  /** Waits for a place, runs the work, gives the place to the next. Throws the signal's reason when that ends the wait. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Queue {
  inFlight: number;
  readonly waiting: (() => void)[];
}

/** A gate; `limitOf` is asked at each entry and exit, so a limit may change at any time. */
export function createGate(limitOf: (key: string) => number): Gate {
  const queues = new Map<string, Queue>();

  function admitWaiting(key: string, queue: Queue): void {
    while (queue.waiting.length > 0 && queue.inFlight < limitOf(key)) {
      queue.inFlight += 1;
      queue.waiting.shift()?.();
    }
    if (queue.inFlight === 0) queues.delete(key);
  }

  return {
    run: async (key, signal, work) => {
      signal.throwIfAborted();
      const queue = queues.get(key) ?? { inFlight: 0, waiting: [] };
      queues.set(key, queue);
      if (queue.inFlight < limitOf(key)) queue.inFlight += 1;
      else await waitForPlace(queue, signal);
      try {
        return await work();
      } finally {
        queue.inFlight -= 1;
        admitWaiting(key, queue);
      }
    },
  };
}

function waitForPlace(queue: Queue, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const admit = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = (): void => {
      queue.waiting.splice(queue.waiting.indexOf(admit), 1);
      reject(signal.reason);
    };
    queue.waiting.push(admit);
    // A pass has one signal for all that waits in it.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', leave, { once: true });
  });
}
