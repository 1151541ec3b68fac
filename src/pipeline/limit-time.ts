/** Calls with a bounded time: a dead registry must not hold up the commits of the others. */
import { TallymanError } from '../error/tallyman-error.ts';

interface TimeLimit {
  /** Longest wait, with all retries. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The image that is looked up: `ghcr.io/acme/web:1.4.2` */
  readonly name: string;
}

/**
 * The call's result; after the time its signal aborts with a `RegistryUnavailable`.
 * Not AbortSignal.any: on Node 20 each of its signals stays hooked to the daemon's own for ever.
 */
export async function limitTime<Value>(
  call: (signal: AbortSignal) => Promise<Value>,
  { timeoutMs, signal, name }: TimeLimit,
): Promise<Value> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  const found = `there was no answer within ${timeoutMs / 1000} s, retries included`;
  const late = new TallymanError('RegistryUnavailable', `Cannot look up image "${name}": ${found}`);
  const timer = setTimeout(() => limit.abort(late), timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await call(limit.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
