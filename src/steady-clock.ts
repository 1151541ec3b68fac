/** Time as it passes, whatever the machine's clock is set to. */
import { uptime } from 'node:os';

/** Where its times come from: the machine's clock, and two that are never set, of which one stands still while the machine sleeps. */
interface Sources {
  readonly wallMs: () => number;
  readonly awakeMs: () => number;
  readonly uptimeMs: () => number;
}

const machine: Sources = {
  wallMs: Date.now,
  awakeMs: () => performance.now(),
  uptimeMs: () => uptime() * 1000,
};

/** The uptime is coarse and costs a read of a file: so often is looked whether the machine slept. */
const lookMs = 1000;
const coarseMs = 1000;

/** Tells milliseconds since 1970, UTC; begins at what the machine's clock shows now. `everyMs` 0: each time tells at once that the machine slept. */
export function createSteadyClock(
  { wallMs, awakeMs, uptimeMs }: Sources = machine,
  { everyMs = lookMs } = {},
): () => number {
  const zeroMs = wallMs() - awakeMs();
  const aheadMs = uptimeMs() - awakeMs();
  let [sleptMs, lookedMs] = [0, awakeMs()];
  return () => {
    const awake = awakeMs();
    if (awake - lookedMs >= everyMs) {
      lookedMs = awake;
      const asleep = uptimeMs() - awake - aheadMs;
      if (asleep > sleptMs + coarseMs) sleptMs = asleep;
    }
    return Math.round(zeroMs + awake + sleptMs);
  };
}
