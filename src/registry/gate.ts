/** Lets only so many through at once for each key; the others wait their turn, first come, first served. */

export interface Gate {
  /** Waits for a place, runs the work, gives the place to the next. Throws the signal's reason when that ends the wait. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Queue {
  free: number;
  readonly waiting: (() => void)[];
}

export function createGate(maxInFlight: number): Gate {
  const queues = new Map<string, Queue>();

  function exit(key: string, queue: Queue): void {
    const next = queue.waiting.shift();
    if (next === undefined) queue.free += 1;
    else next();
    if (queue.free === maxInFlight) queues.delete(key);
  }

  return {
    run: async (key, signal, work) => {
      signal.throwIfAborted();
      const queue = queues.get(key) ?? { free: maxInFlight, waiting: [] };
      queues.set(key, queue);
      await enter(queue, signal);
      try {
        return await work();
      } finally {
        exit(key, queue);
      }
    },
  };
}

/** Nothing to wait for where a place is free. */
function enter(queue: Queue, signal: AbortSignal): Promise<void> | undefined {
  if (queue.free > 0) {
    queue.free -= 1;
    return undefined;
  }
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
    signal.addEventListener('abort', leave, { once: true });
  });
}
