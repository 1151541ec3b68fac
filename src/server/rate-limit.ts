/** Bounds on how often something happens. */

/** Whether it may happen now. */
export type RateLimit = () => boolean;

/** At most `burst` at once, and `perSecond` for longer. */
export function createRateLimit({
  burst,
  perSecond,
  nowMs,
}: {
  burst: number;
  perSecond: number;
  nowMs: () => number;
}): RateLimit {
  let left = burst;
  let sinceMs = nowMs();
  return () => {
    const now = nowMs();
    // A clock that was set back gives nothing and takes nothing.
    left = Math.min(burst, left + (Math.max(0, now - sinceMs) / 1000) * perSecond);
    sinceMs = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

/** Calls `tell` at most once a minute, with how many there were since the last time. */
export function createMinuteTeller(nowMs: () => number): (tell: (count: number) => void) => void {
  const mayTell = createRateLimit({ burst: 1, perSecond: 1 / 60, nowMs });
  let count = 0;
  return (tell) => {
    count += 1;
    if (!mayTell()) return;
    tell(count);
    count = 0;
  };
}
