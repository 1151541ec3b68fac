import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placeCommits } from '../../src/hold/known-past.ts';
import { readMarks } from '../../src/hold/marks.ts';

/** What the first commit that names a base knows, of commits given as `id parents…`, newest first: the ids from there on. */
function listKnown(lines: readonly string[], message: string): readonly string[] | undefined {
  const commits = lines.map((line) => {
    const [id = '', ...parents] = line.split(' ');
    return { id, parents };
  });
  const marks = readMarks(message) ?? assert.fail('marks were wanted');
  const [placed] = placeCommits([{ id: 'x', whenMs: 0, marks }], commits);
  const from = placed?.knownFrom ?? 0;
  return from === Number.POSITIVE_INFINITY ? undefined : commits.slice(from).map(({ id }) => id);
}

describe('placeCommits', () => {
  const rows: Record<string, readonly [readonly string[], string, readonly string[] | undefined]> = {
    'one line: all before its base': [['x b', 'b a', 'a'], 'Tallyman-Base: b', ['b', 'a']],
    'squashed: all before its base, not what came between': [['x c', 'c b', 'b a', 'a'], 'Tallyman-Base: a', ['a']],
    'a base just behind the end of the list': [['x b'], 'Tallyman-Base: b', []],
    'picked from another branch': [['x b', 'b a', 'a'], 'Tallyman-Base: other', undefined],
    'merged into another line: where both are one again': [
      ['m c x', 'x a', 'c b', 'b a', 'a r', 'r'],
      'Tallyman-Base: a',
      ['a', 'r'],
    ],
    'made beside another line that ends where it began': [
      ['m c x', 'x b', 'c a', 'b a', 'a r', 'r'],
      'Tallyman-Base: b',
      ['a', 'r'],
    ],
    'a line that the list does not show to its end': [['m c x', 'x b', 'c a', 'b a'], 'Tallyman-Base: b', []],
    'a line that never becomes one with its own': [['m c x', 'x b', 'c', 'b a', 'a'], 'Tallyman-Base: b', undefined],
    'an old one: as made for its parent': [['x b', 'b a', 'a'], 'Tallyman-Plan: 12ab', ['b', 'a']],
    'a merge that names none': [['x b c', 'b a', 'c a', 'a'], 'Tallyman-Plan: 12ab', undefined],
    'a person who quotes': [['x b', 'b a', 'a'], 'Tallyman-Resume: shop/web', undefined],
    'several commits squashed into one': [['x b', 'b a', 'a'], 'Tallyman-Base: b\nTallyman-Base: a', undefined],
  };
  for (const [name, [commits, message, known]] of Object.entries(rows)) {
    it(name, () => assert.deepEqual(listKnown(commits, `Update\n\n${message}\n`), known));
  }
});
