import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findDescendants } from '../../src/reconcile/find-descendants.ts';

/** Newest first: `d` merges `c` and `b`, both of `a`. */
const branch = [
  { id: 'e', parents: ['d'] },
  { id: 'd', parents: ['c', 'b'] },
  { id: 'c', parents: ['a'] },
  { id: 'b', parents: ['a'] },
  { id: 'a', parents: ['0'] },
];

describe('findDescendants', () => {
  const rows: [string, string, string | undefined][] = [
    ['the tip', 'e', 'e'],
    ['a side of a merge, without the other side', 'b', 'bde'],
    ['the other side', 'c', 'cde'],
    ['the oldest', 'a', 'abcde'],
    ['one that is not listed', '0', undefined],
  ];
  for (const [name, id, wanted] of rows)
    it(name, () => {
      const found = findDescendants(branch, id);
      assert.equal(found && [...found].sort().join(''), wanted);
    });
});
