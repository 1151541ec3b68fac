import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createGlob, resolveGlob } from '../../src/policy/glob.ts';

const rows: [glob: string, path: string, matches: boolean][] = [
  ['', 'a/b.yaml', true],
  ['**', 'a/b.yaml', true],
  ['apps/**', 'apps/web/a.yaml', true],
  ['apps/**', 'apps2/a.yaml', false],
  ['apps', 'apps/web/a.yaml', true],
  ['apps', 'apps.yaml', false],
  ['apps/web.yaml', 'apps/web.yaml', true],
  ['apps/*.yaml', 'apps/web.yaml', true],
  ['apps/*.yaml', 'apps/web/a.yaml', false],
  ['apps/*', 'apps/web/a.yaml', true],
  ['**/prod/*.yaml', 'x/y/prod/a.yaml', true],
  ['**/prod/*.yaml', 'prod/a.yaml', true],
  ['a?.yaml', 'ab.yaml', true],
  ['a?.yaml', 'a/.yaml', false],
  ['a+(b).yaml', 'a+(b).yaml', true],
  ['a.*l', 'axyl', false],
];

describe('createGlob', () => {
  for (const [glob, path, matches] of rows) {
    it(`"${glob}" ${matches ? 'matches' : 'does not match'} ${path}`, () =>
      assert.equal(createGlob(glob)(path), matches));
  }

  it('is linear on hostile globs', () => {
    const start = performance.now();
    assert.equal(createGlob(`${'*a'.repeat(60)}b`)('a'.repeat(5000)), false);
    assert.ok(performance.now() - start < 2000);
  });
});

describe('resolveGlob', () => {
  it('resolves against the folder of the policy', () => {
    assert.equal(resolveGlob('apps/web', './**'), 'apps/web/**');
    assert.equal(resolveGlob('apps/web', '../prod/*.yaml'), 'apps/prod/*.yaml');
    assert.equal(resolveGlob('', './**'), '**');
    assert.equal(resolveGlob('apps', '/clusters/**'), 'clusters/**');
    assert.equal(resolveGlob('apps', '..'), '');
  });

  it('refuses to leave the repository', () => {
    assert.equal(resolveGlob('apps', '../../x'), undefined);
    assert.equal(resolveGlob('', '../x'), undefined);
  });
});
