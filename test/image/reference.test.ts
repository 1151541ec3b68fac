import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatCanonical, formatFamiliar, isDigest, isTag, parseImageReference } from '../../src/image/reference.ts';

interface ReferenceCase {
  input: string;
  valid: boolean;
  domain: string;
  path: string;
  tag: string | null;
  digest: string | null;
  canonical: string;
  familiar: string;
  note: string;
}

const cases: ReferenceCase[] = JSON.parse(
  readFileSync(new URL('../fixtures/cases/image-reference.json', import.meta.url), 'utf8'),
);

describe('parseImageReference', () => {
  for (const row of cases) {
    it(`${row.valid ? 'reads' : 'refuses'} ${JSON.stringify(row.input.slice(0, 60))} ${row.note}`, () => {
      if (!row.valid) {
        assert.throws(() => parseImageReference(row.input), { code: 'ReferenceInvalid' });
        return;
      }
      const reference = parseImageReference(row.input);
      assert.deepEqual(reference, {
        host: row.domain,
        path: row.path,
        tag: row.tag ?? undefined,
        digest: row.digest ?? undefined,
      });
      assert.equal(formatCanonical(reference), row.canonical);
      assert.equal(formatFamiliar(reference), row.familiar);
    });
  }

  it('reads Docker Hub by its other name', () => {
    assert.equal(formatCanonical(parseImageReference('index.docker.io/nginx')), 'docker.io/library/nginx');
  });

  it('takes linear time on long hostile text', () => {
    for (const text of ['a-'.repeat(100_000), `${'a.'.repeat(500)}/`, `${'a'.repeat(1000)}!`, 'a/'.repeat(511)]) {
      assert.throws(() => parseImageReference(text), { code: 'ReferenceInvalid' });
    }
  });

  it('reads back every reference it formats', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:[-._][a-z0-9]{1,4})?$/);
    const host = fc.constantFrom(
      'ghcr.io',
      'localhost:5000',
      'docker.io',
      '127.0.0.1:1',
      '[::1]:5000',
      'reg.example.com',
    );
    const path = fc.array(component, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/'));
    const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined });
    const digest = fc.option(
      fc.stringMatching(/^[a-f0-9]{64}$/).map((hex) => `sha256:${hex}`),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.record({ host, path, tag, digest }), (reference) => {
        assert.deepEqual(parseImageReference(formatCanonical(reference)), { ...reference });
        assert.deepEqual(parseImageReference(formatFamiliar(reference)), { ...reference });
      }),
    );
  });
});

describe('isTag and isDigest', () => {
  it('follow the grammar', () => {
    assert.equal(isTag('v1.2.3'), true);
    assert.equal(isTag('.hidden'), false);
    assert.equal(isTag('a'.repeat(129)), false);
    assert.equal(isDigest(`sha256:${'a'.repeat(64)}`), true);
    assert.equal(isDigest('sha256:abc'), false);
    assert.equal(isDigest('constructor:abc'), false);
  });
});
