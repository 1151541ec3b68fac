import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findBrought } from '../../src/reconcile/find-brought.ts';

/** `c:ab` is a commit c with the parents a and b. */
const parse = (text: string) =>
  text.split(' ').map((word) => {
    const [id = '', parents = ''] = word.split(':');
    return { id, parents: [...parents] };
  });

describe('findBrought', () => {
  const rows: [name: string, commits: string, since: string, wanted: string][] = [
    ['nothing new', 'b:a a:', 'b', ''],
    ['commits in a row', 'c:b b:a a:', 'a', 'b=b c=c'],
    ['a merge brings its branch', 'm:ax x:y y:a a:', 'a', 'm=mxy'],
    ['what was merged began long before', 'm:cx c:b x:a b:a a:', 'c', 'm=mx'],
    ['what comes after a merge', 'n:m m:ax x:a a:', 'a', 'm=mx n=n'],
    ['two merges of one branch', 'n:my y:x m:ax x:a a:', 'a', 'm=mx n=ny'],
    ['the branch goes on as the one that was merged into', 'x:y y:wb w:a b:a a:', 'b', 'w=w y=y x=x'],
    ['the branch was rewritten', 'c:x x:a a:', 'b', ''],
    ['further back than was read', 'd:c c:b', 'a', ''],
    ['just behind what was read', 'c:b b:a', 'a', 'b=b c=c'],
    ['nothing was read', '', 'a', ''],
  ];
  for (const [name, commits, since, wanted] of rows)
    it(name, () => {
      const listed = commits === '' ? [] : parse(commits);
      const found = [...findBrought(listed, since)].map(
        ([{ id }, brought]) => `${id}=${brought.map((commit) => commit.id).join('')}`,
      );
      assert.equal(found.join(' '), wanted);
    });
});
