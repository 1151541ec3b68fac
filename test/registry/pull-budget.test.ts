import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSpent, type PullBudget, parsePullBudget } from '../../src/registry/pull-budget.ts';

describe('parsePullBudget', () => {
  const rows: [remaining: string | undefined, limit: string | undefined, found: Partial<PullBudget> | undefined][] = [
    ['99;w=21600', '100;w=21600', { left: 99, limit: 100, windowMs: 21_600_000 }],
    [' 0 ; w=60', undefined, { left: 0, limit: undefined, windowMs: 60_000 }],
    ['76;w=21600, 5;w=1', '100;w=21600', { left: 76, limit: 100, windowMs: 21_600_000 }],
    ['99', '100', undefined],
    ['-1;w=60', undefined, undefined],
    ['many;w=60', undefined, undefined],
    ['9999999999999;w=60', undefined, undefined],
    [undefined, '100;w=21600', undefined],
  ];
  for (const [remaining, limit, found] of rows) {
    it(`reads ${JSON.stringify(remaining)} of ${JSON.stringify(limit)}`, () => {
      const headers = { 'ratelimit-remaining': remaining, 'ratelimit-limit': limit };
      assert.deepEqual(parsePullBudget(headers, 7), found && { ...found, seenMs: 7 });
    });
  }
});

describe('isSpent', () => {
  const budget: PullBudget = { left: 10, limit: 100, windowMs: 60_000, seenMs: 1000 };
  const rows: [name: string, budget: PullBudget | undefined, minPullsLeft: number, nowMs: number, spent: boolean][] = [
    ['as many left as are to be kept', budget, 10, 1000, true],
    ['one more left', budget, 9, 1000, false],
    ['seen a window ago', budget, 10, 61_000, false],
    ['nothing said', undefined, 10, 1000, false],
  ];
  for (const [name, seen, minPullsLeft, nowMs, spent] of rows) {
    it(name, () => assert.equal(isSpent(seen, minPullsLeft, nowMs), spent));
  }
});
