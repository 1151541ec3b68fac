import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSteadyClock } from '../src/steady-clock.ts';

const hour = 3_600_000;

function open() {
  const time = { wall: 1_700_000_000_000, awake: 5000, uptime: 90_000 };
  const nowMs = createSteadyClock({
    wallMs: () => time.wall,
    awakeMs: () => time.awake,
    uptimeMs: () => time.uptime,
  });
  const pass = (ms: number) => {
    time.awake += ms;
    time.uptime += ms;
  };
  return { time, nowMs, pass, startMs: time.wall };
}

describe('createSteadyClock', () => {
  it('goes on evenly where the machine\u2019s clock is set, forward and back', () => {
    const { time, nowMs, pass, startMs } = open();
    for (const setMs of [100 * hour, -50 * hour]) {
      time.wall += setMs;
      pass(hour);
    }
    assert.equal(nowMs(), startMs + 2 * hour);
  });

  it('counts the time that the machine slept', () => {
    const { time, nowMs, pass, startMs } = open();
    pass(hour);
    time.uptime += 8 * hour;
    pass(2000);
    assert.equal(nowMs(), startMs + 9 * hour + 2000);
    pass(hour);
    assert.equal(nowMs(), startMs + 10 * hour + 2000);
  });

  it('counts it at once where each time has to', () => {
    const time = { awake: 5000, uptime: 90_000 };
    const sources = { wallMs: () => 0, awakeMs: () => time.awake, uptimeMs: () => time.uptime };
    const [usual, exact] = [createSteadyClock(sources), createSteadyClock(sources, { everyMs: 0 })];
    time.uptime += 8 * hour;
    assert.deepEqual([usual(), exact()], [0, 8 * hour]);
  });
});
