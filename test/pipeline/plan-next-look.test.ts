import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isLookDue,
  type LookOutcome,
  type LookState,
  neverLooked,
  planNextLook,
} from '../../src/pipeline/plan-next-look.ts';

const minute = 60_000;
const hour = 60 * minute;
const nowMs = 100 * hour;
const intervals = { intervalMs: minute, maxIntervalMs: 5 * minute };
const state = (parts: Partial<LookState> = {}): LookState => ({
  changedMs: nowMs,
  failures: 0,
  dueMs: nowMs,
  ...parts,
});

describe('planNextLook', () => {
  const rows: Record<string, [LookState, LookOutcome, { waitMs: number; changedMs?: number; failures?: number }]> = {
    'the first look': [neverLooked, 'changed', { waitMs: minute, changedMs: nowMs }],
    'a change': [state({ changedMs: 0 }), 'changed', { waitMs: minute, changedMs: nowMs }],
    'a change a little ago': [
      state({ changedMs: nowMs - minute }),
      'same',
      { waitMs: minute, changedMs: nowMs - minute },
    ],
    'a rest of 50 intervals': [state({ changedMs: nowMs - 50 * minute }), 'same', { waitMs: minute }],
    'a rest of two hours': [state({ changedMs: nowMs - 2 * hour }), 'same', { waitMs: 2.4 * minute }],
    'a rest of days': [state({ changedMs: 0 }), 'same', { waitMs: 5 * minute, changedMs: 0 }],
    'a clock that was set back': [state({ changedMs: nowMs + hour }), 'same', { waitMs: minute }],
    'the first failure': [state({ changedMs: 0 }), 'failed', { waitMs: minute, changedMs: 0, failures: 1 }],
    'the second': [state({ failures: 1 }), 'failed', { waitMs: 2 * minute, failures: 2 }],
    'the fourth': [state({ failures: 3 }), 'failed', { waitMs: 8 * minute, failures: 4 }],
    'the fifth': [state({ failures: 4 }), 'failed', { waitMs: 15 * minute, failures: 5 }],
    'the thousandth': [state({ failures: 999 }), 'failed', { waitMs: 15 * minute, failures: 1000 }],
    'the first refusal': [state({ changedMs: 0 }), 'refused', { waitMs: minute, changedMs: 0, failures: 1 }],
    'the third': [state({ failures: 2 }), 'refused', { waitMs: 4 * minute, failures: 3 }],
    'the fourth refusal': [state({ failures: 3 }), 'refused', { waitMs: 5 * minute, failures: 4 }],
    'the thousandth refusal': [state({ failures: 999 }), 'refused', { waitMs: 5 * minute, failures: 1000 }],
    'a failure at the very start': [neverLooked, 'failed', { waitMs: minute, failures: 1 }],
    'success after failures': [state({ failures: 9 }), 'same', { waitMs: minute, failures: 0 }],
  };
  for (const [name, [before, outcome, wanted]] of Object.entries(rows)) {
    it(`waits ${wanted.waitMs / minute} min after ${name}`, () => {
      const next = planNextLook(before, outcome, { ...intervals, nowMs, random: 0.5 });
      assert.equal(Math.round(next.dueMs - nowMs), wanted.waitMs);
      if (wanted.changedMs !== undefined) assert.equal(next.changedMs, wanted.changedMs);
      assert.equal(next.failures, wanted.failures ?? 0);
    });
  }

  it('varies by a tenth to either side, failures too', () => {
    for (const outcome of ['same', 'failed', 'refused'] as const) {
      const waits = [0, 0.999_999].map(
        (random) => planNextLook(state(), outcome, { ...intervals, nowMs, random }).dueMs - nowMs,
      );
      assert.deepEqual(waits.map(Math.round), [54_000, 66_000]);
    }
  });

  for (const outcome of ['failed', 'refused'] as const) {
    it(`never asks again sooner than an interval where it ${outcome}, however long that is`, () => {
      const day = { intervalMs: 24 * hour, maxIntervalMs: 24 * hour };
      assert.equal(planNextLook(state(), outcome, { ...day, nowMs, random: 0.5 }).dueMs - nowMs, 24 * hour);
    });
  }

  it('repeats a refusal after five intervals at the most, where they are short', () => {
    const short = { intervalMs: 10_000, maxIntervalMs: minute };
    assert.equal(
      planNextLook(state({ failures: 9 }), 'refused', { ...short, nowMs, random: 0.5 }).dueMs - nowMs,
      50_000,
    );
  });
});

describe('isLookDue', () => {
  const rows: Record<string, [number, boolean]> = {
    'one that is overdue': [-hour, true],
    'one that is due now': [0, true],
    'one due within the jitter of who asks': [0.2 * minute, true],
    'one due later': [0.3 * minute, false],
    'one that fails for long': [15 * minute, false],
    'one due only because the clock was set back': [17 * minute, true],
  };
  for (const [name, [restMs, due]] of Object.entries(rows)) {
    it(`${due ? 'asks' : 'does not ask'} for ${name}`, () =>
      assert.equal(isLookDue(state({ dueMs: nowMs + restMs }), { ...intervals, nowMs }), due));
  }

  it('lets watchers that come every interval look each time', () => {
    const late = planNextLook(state(), 'changed', { ...intervals, nowMs, random: 0.999 });
    assert.ok(isLookDue(late, { ...intervals, nowMs: nowMs + 0.9 * minute }));
  });
});
