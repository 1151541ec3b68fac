/** The clock of this process. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../pipeline/ports.ts';
import { createSteadyClock } from '../steady-clock.ts';

export const steadyClock = createSteadyClock();

export const systemClock: Clock = {
  nowMs: steadyClock.nowMs,
  wallMs: Date.now,
  random: Math.random,
  sleep: (ms, { signal }) => wait(ms, undefined, { signal }).catch(() => undefined),
};
