/** The clock of this process. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../pipeline/ports.ts';
import { createSteadyClock } from '../steady-clock.ts';

export const systemClock: Clock = {
  nowMs: createSteadyClock(),
  wallMs: Date.now,
  random: Math.random,
  sleep: (ms, { signal }) => wait(ms, undefined, { signal }).catch(() => undefined),
};
