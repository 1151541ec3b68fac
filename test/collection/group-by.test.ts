import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupBy } from '../../src/collection/group-by.ts';

describe('groupBy', () => {
  it('keeps the order of keys and of items', () => {
    const groups = groupBy(['pear', 'apple', 'plum', 'fig'], (fruit) => fruit[0]);
    assert.deepEqual(
      [...groups],
      [
        ['p', ['pear', 'plum']],
        ['a', ['apple']],
        ['f', ['fig']],
      ],
    );
  });

  it('takes objects as keys, and nothing at all', () => {
    const key = {};
    assert.deepEqual(groupBy([1, 2], () => key).get(key), [1, 2]);
    assert.equal(groupBy([], () => key).size, 0);
  });

  it('puts 200,000 items into one group without copying it', () => {
    const started = performance.now();
    assert.equal(groupBy(Array(200_000).fill(0), () => 'one').get('one')?.length, 200_000);
    assert.ok(performance.now() - started < 2000);
  });
});
