import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseMastermindsRange } from '../../src/version/masterminds-range.ts';
import { argocdGrammar, parseVersion } from '../../src/version/version.ts';

/** Observed on Masterminds/semver 3.5.0: which versions a range holds, or that it is none. */
type Row = { range: string } & ({ error: true } | { in: string[]; out: string[] });

const rows: Row[] = JSON.parse(
  readFileSync(new URL('../fixtures/cases/masterminds-range.json', import.meta.url), 'utf8'),
);

describe('parseMastermindsRange', () => {
  for (const row of rows) {
    it(`${'error' in row ? 'refuses' : 'reads'} ${JSON.stringify(row.range)}`, () => {
      if ('error' in row) {
        assert.throws(() => parseMastermindsRange(row.range), { code: 'PolicyInvalid' });
        return;
      }
      const range = parseMastermindsRange(row.range);
      const has = (text: string) => {
        const version = parseVersion(text, argocdGrammar);
        assert.ok(version, text);
        return range.has(version);
      };
      assert.deepEqual(
        row.in.filter((version) => !has(version)),
        [],
        'in the range',
      );
      assert.deepEqual(row.out.filter(has), [], 'outside the range');
    });
  }

  it('takes linear time on hostile text', () => {
    const start = performance.now();
    for (const text of [
      '1 - '.repeat(120),
      '>='.repeat(250),
      `${'1.'.repeat(240)}`,
      '-'.repeat(500),
      `1-${'a.'.repeat(240)}!`,
      '1'.repeat(499),
      ' '.repeat(500),
    ]) {
      assert.throws(() => parseMastermindsRange(text), { code: 'PolicyInvalid' });
    }
    assert.throws(() => parseMastermindsRange('1'.repeat(501)), { code: 'PolicyInvalid', message: /501 characters/ });
    assert.ok(performance.now() - start < 1000);
  });
});
