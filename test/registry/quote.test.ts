import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseComplaint } from '../../src/registry/complaint.ts';
import { quote, redact } from '../../src/registry/quote.ts';

describe('quote', () => {
  const rows: [name: string, text: string, shown: string][] = [
    ['line breaks', 'no such\r\nrepository', 'no such repository'],
    ['terminal escapes', '\u001b[31mred\u001b[0m', '[31mred [0m'],
    ['text that turns its direction', 'a\u202eb\u200bc\u2028d', 'a b c d'],
    ['length', 'x'.repeat(5000), `${'x'.repeat(197)}...`],
  ];
  for (const [name, text, shown] of rows) it(`tames ${name}`, () => assert.equal(quote(text), shown));
});

describe('redact', () => {
  it('cuts secrets, the longest first, and queries', () => {
    assert.equal(redact('bad token s3cret-long, s3cret', ['s3cret', 's3cret-long', '']), 'bad token …, …');
    assert.equal(redact('see https://s3/x?X-Amz-Signature=abc&y=1 for more?', []), 'see https://s3/x?… for more?');
  });
});

describe('parseComplaint', () => {
  const parse = (body: string) => parseComplaint(Buffer.from(body), ['hunter2']);

  it('reads the codes and the first message', () => {
    const errors = [{ code: 'NAME_UNKNOWN', message: 'not known' }, { code: 'DENIED' }];
    assert.deepEqual(parse(JSON.stringify({ errors })), {
      codes: ['NAME_UNKNOWN', 'DENIED'],
      text: 'NAME_UNKNOWN: not known',
    });
  });

  it('cuts secrets', () => {
    const errors = [{ code: 'DENIED', message: 'no user with password hunter2' }];
    assert.equal(parse(JSON.stringify({ errors })).text, 'DENIED: no user with password …');
  });

  for (const body of ['', '<html>', '[]', 'null', '{"errors":{}}', '{"errors":[null,1,{"code":5}]}', '{"errors":[]}']) {
    it(`is silent on ${JSON.stringify(body)}`, () => assert.deepEqual(parse(body), { codes: [], text: '' }));
  }
});
