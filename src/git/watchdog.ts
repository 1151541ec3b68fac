/** Time limits of one exchange with a Git server. */

export interface TimeLimits {
  /** Longest silence of the server, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest time for one request with its whole answer, in milliseconds: a server that drips is never silent. */
  readonly maxExchangeMs: number;
}

export interface Watchdog {
  readonly signal: AbortSignal;
  touch(): void;
  /** What went on for too long; undefined where nothing did. */
  expired(): string | undefined;
  stop(): void;
}

/** Aborts after `timeoutMs` without a touch, after `maxExchangeMs` in all, or with the outer signal. */
export function createWatchdog({ timeoutMs, maxExchangeMs }: TimeLimits, outer: AbortSignal): Watchdog {
  const controller = new AbortController();
  let expired: string | undefined;
  const expire = (reason: string): void => {
    expired ??= reason;
    controller.abort();
  };
  const silence = setTimeout(() => expire(`the server was silent for ${timeoutMs} ms`), timeoutMs);
  const whole = setTimeout(() => expire(`the server's answer took more than ${maxExchangeMs} ms`), maxExchangeMs);
  const forward = (): void => controller.abort(outer.reason);
  if (outer.aborted) forward();
  else outer.addEventListener('abort', forward, { once: true });
  return {
    signal: controller.signal,
    touch: () => void silence.refresh(),
    expired: () => expired,
    stop() {
      clearTimeout(silence);
      clearTimeout(whole);
      outer.removeEventListener('abort', forward);
    },
  };
}
