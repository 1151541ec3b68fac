import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { translateGoGlob } from '../../src/policy/dialects/argocd-glob.ts';
import { parsePattern } from '../../src/policy/pattern.ts';

/** Globs with what they match and what they do not; the answers are those of Go's path.Match. */
const rows: Record<string, { yes: string[]; no: string[] }> = {
  '': { yes: [''], no: ['a'] },
  '*': { yes: ['', 'abc'], no: ['a/b'] },
  'a*c': { yes: ['ac', 'abbc'], no: ['acd', 'a/c', 'xac'] },
  'tag?': { yes: ['tag1'], no: ['tag', 'tag10', 'tag/'] },
  '[ab]x': { yes: ['ax', 'bx'], no: ['cx', 'x', 'abx'] },
  '[a-c]': { yes: ['b'], no: ['d', '-'] },
  '[^a-c]': { yes: ['d', '-'], no: ['a', ''] },
  '[!a]': { yes: ['!', 'a'], no: ['b'] },
  '[\\-x]': { yes: ['-', 'x'], no: ['y'] },
  '[\\]]': { yes: [']'], no: ['\\'] },
  '[^^]': { yes: ['a'], no: ['^'] },
  '[z-a]': { yes: [], no: ['a', 'm', 'z', '', '-'] },
  '[^z-a]': { yes: ['m'], no: ['', 'mm'] },
  '\\*': { yes: ['*'], no: ['a', '\\*'] },
  ']': { yes: [']'], no: ['a'] },
  '1.0': { yes: ['1.0'], no: ['1x0'] },
  '(a|b)+$^{2}': { yes: ['(a|b)+$^{2}'], no: ['a', 'ab'] },
  '*é?': { yes: ['xéy', 'é😀'], no: ['é'] },
};
const malformed = ['[', '[2', '[]', '[]a]', '[^]', '[a', '[-a]', '[a-]', '[a-', 'a\\', '[\\', 'x'.repeat(301)];

describe('translateGoGlob', () => {
  for (const [glob, { yes, no }] of Object.entries(rows)) {
    it(`matches as Go does: ${JSON.stringify(glob)}`, () => {
      const pattern = parsePattern(translateGoGlob(glob));
      assert.deepEqual(
        [...yes, ...no].filter((text) => pattern.test(text)),
        yes,
      );
    });
  }

  for (const glob of malformed) {
    it(`refuses ${JSON.stringify(glob.slice(0, 20))}`, () =>
      assert.throws(() => translateGoGlob(glob), { name: 'TallymanError', code: 'PolicyInvalid' }));
  }

  it('takes time linear in a glob of brackets', () => {
    const start = performance.now();
    for (const glob of ['[a-', '[\\', '[^', 'a-', '\\'])
      assert.ok([true, false].includes(isGlob(glob.repeat(100).slice(0, 300))));
    assert.ok(performance.now() - start < 500);
  });
});

function isGlob(glob: string): boolean {
  try {
    return translateGoGlob(glob) !== '';
  } catch {
    return false;
  }
}
