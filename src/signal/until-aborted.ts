/** Waiting that ends with a signal. */
import { setMaxListeners } from 'node:events';

/**
 * The promise's outcome, or the signal's reason at once; the promise goes on alone, for others who wait for it. Leaves
 * nothing at the signal, which may live for months.
 */
export function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  // Many may wait with one signal; Node would take eleven for a leak.
  setMaxListeners(0, signal);
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    promise.finally(() => signal.removeEventListener('abort', leave)).then(resolve, reject);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}
