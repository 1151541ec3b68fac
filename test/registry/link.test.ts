import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findNextLink } from '../../src/registry/link.ts';

const rows: [name: string, header: string, target: string | undefined][] = [
  ['the spec form', '</v2/a/tags/list?n=2&last=b>; rel="next"', '/v2/a/tags/list?n=2&last=b'],
  [
    'an absolute URL',
    '<https://quay.io/v2/a/tags/list?next_page=xyz>; rel="next"',
    'https://quay.io/v2/a/tags/list?next_page=xyz',
  ],
  ['no brackets', '/v2/a/tags/list?next_page=gAAA%3D; rel="next"', '/v2/a/tags/list?next_page=gAAA%3D'],
  ['no quotes', '</v2/a?x>; rel=next', '/v2/a?x'],
  ['any case', '</v2/a?x>; REL="Next"', '/v2/a?x'],
  ['several relations', '</v2/a?x>; rel="last next"', '/v2/a?x'],
  ['several links', '</v2/a?p>; rel="prev", </v2/a?n>; rel="next"', '/v2/a?n'],
  ['several links without brackets', '/v2/a?p; rel="prev", /v2/a?n; rel="next"', '/v2/a?n'],
  ['another parameter first', '</v2/a?x>; title="more, please"; rel="next"', '/v2/a?x'],
  ['a comma in the target', '</v2/a?x=1,2>; rel="next"', '/v2/a?x=1,2'],
  ['no space', '</v2/a?x>;rel="next"', '/v2/a?x'],
  ['only another relation', '</v2/a?x>; rel="prev"', undefined],
  ['a relation that only begins so', '</v2/a?x>; rel="next-archive"', undefined],
  ['no relation', '</v2/a?x>', undefined],
  ['an empty header', '', undefined],
];

describe('findNextLink', () => {
  for (const [name, header, target] of rows) {
    it(`reads ${name}`, () => assert.equal(findNextLink(header), target));
  }

  it('ends soon on hostile text', () => {
    for (const text of [`a;b${' '.repeat(16_000)}!`, '<'.repeat(16_000), `<${'a'.repeat(16_000)}`, ';a'.repeat(8000)]) {
      const before = process.cpuUsage();
      findNextLink(text);
      assert.ok(process.cpuUsage(before).user < 500_000);
    }
  });
});
