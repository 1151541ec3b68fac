/** A signal that ends with its parent or with its time, whichever is first. */
import { setMaxListeners } from 'node:events';

export interface Deadline {
  readonly signal: AbortSignal;
  /** Lets go of the parent and of the timer; to be called when the work is done. */
  stop(): void;
}

/** Starts the clock. The signal's reason is the parent's, or `expired()` when the time is over. */
export function startDeadline(parent: AbortSignal, timeoutMs: number, expired: () => Error): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent.reason);
  if (parent.aborted) follow();
  const timer = setTimeout(() => controller.abort(expired()), timeoutMs);
  // Hundreds of calls may share one signal; Node would take eleven for a leak.
  setMaxListeners(0, parent);
  parent.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer);
      parent.removeEventListener('abort', follow);
    },
  };
}
