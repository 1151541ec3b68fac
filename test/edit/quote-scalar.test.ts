import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { quoteScalar, readsAsOtherType } from '../../src/edit/quote-scalar.ts';

const plain = { style: 'plain', inFlow: false } as const;
const flow = { style: 'plain', inFlow: true } as const;

const others = [
  'true', 'False', 'yes', 'NO', 'on', 'Off', 'y', 'N', 'null', 'Null', '~',
  '1', '007', '0123', '1_000', '0x1F', '0X1f', '0o14', '0b11', '-5', '+5', '12345678901234567890',
  '1.10', '1.', '.5', '1e5', '12e3', '1E5', '5e12345', '1e400', '-1.5e-3', '1_0.5',
  'e0', 'E12', 'e-5', '0x', '0x_', '0b_',
  '.inf', '-.INF', '.nan', '1:20', '190:20:30', '2024-01-02', '2024-1-2', '2024-01-02T10:00:00Z', '<<', '=',
]; // biome-ignore format: a table
const strings = [
  '1.2.0',
  'v1',
  'nan',
  'inf',
  '_',
  '_1',
  '1-2',
  'latest',
  'main-abc',
  '0.1.0',
  '1.10-alpine',
  'x1e5',
  '2024-01-02-a',
  '1.2.3.4',
  'yess',
];

describe('quoteScalar', () => {
  for (const text of others) {
    it(`quotes ${text}`, () => {
      assert.equal(readsAsOtherType(text), true);
      assert.equal(quoteScalar(text, plain), JSON.stringify(text));
    });
  }

  for (const text of strings) it(`leaves ${text} plain`, () => assert.equal(quoteScalar(text, plain), text));

  it('keeps the quotes that are there', () => {
    assert.equal(quoteScalar('1.2.0', { style: 'single', inFlow: false }), "'1.2.0'");
    assert.equal(quoteScalar("it's", { style: 'single', inFlow: false }), "'it''s'");
    assert.equal(quoteScalar('1.2.0', { style: 'double', inFlow: true }), '"1.2.0"');
  });

  it('puts a blank before a value where none was, and quotes it the same way', () => {
    assert.equal(quoteScalar('1.2.0', { style: 'empty', inFlow: false }), ' 1.2.0');
    assert.equal(quoteScalar('1.10', { style: 'empty', inFlow: true }), ' "1.10"');
  });

  it('keeps an image override plain', () =>
    assert.equal(quoteScalar('old=ghcr.io/acme/web:1.5.0', plain), 'old=ghcr.io/acme/web:1.5.0'));

  it('quotes an address in brackets, which would open a sequence', () => {
    assert.equal(quoteScalar('[::1]:5000/app:1.0.0', plain), '"[::1]:5000/app:1.0.0"');
  });

  it('writes what YAML 1.1 and 1.2 both read as that very string, in block and in flow', () => {
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}$/);
    const tricky = fc.stringMatching(/^[0-9a-fxob_.eE+-]{1,8}$/);
    const reference = fc
      .tuple(fc.constantFrom('nginx', 'ghcr.io/a/b', 'r:5000/x', '[::1]:5000/x'), tag)
      .map((parts) => parts.join(':'));
    const anything = fc.string({ maxLength: 12 });
    const style = fc.constantFrom('plain', 'single', 'double') as fc.Arbitrary<'plain' | 'single' | 'double'>;
    fc.assert(
      fc.property(fc.oneof(tag, tricky, reference, anything), style, (value, written) => {
        for (const version of ['1.1', '1.2'] as const) {
          const options = { version, logLevel: 'silent' } as const;
          assert.deepEqual(parse(`a: ${quoteScalar(value, { style: written, inFlow: false })} # c\n`, options), {
            a: value,
          });
          const inFlow = quoteScalar(value, { style: written, inFlow: true });
          assert.deepEqual(parse(`[{a: ${inFlow}, b: ${inFlow}}]\n`, options), [{ a: value, b: value }]);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('stays plain where quotes are not needed', () => {
    assert.equal(quoteScalar('ghcr.io/acme/web:1.5.0@sha256:abc', flow), 'ghcr.io/acme/web:1.5.0@sha256:abc');
  });
});
