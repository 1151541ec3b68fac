import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCommitInfo } from '../../src/git/commit-info.ts';

const id = 'a'.repeat(40);
const tree = `tree ${'b'.repeat(40)}`;
const parents = ['c'.repeat(40), 'd'.repeat(40)];
const ada = 'Ada <ada@example.com> 1700000000 +0100';

describe('commit as people read it', () => {
  const parse = (lines: readonly (string | Buffer)[]) =>
    parseCommitInfo(id, Buffer.concat(lines.map((line) => (typeof line === 'string' ? Buffer.from(line) : line))));
  const usual = `${tree}\nauthor ${ada}\ncommitter ${ada}\n`;

  it('has its fields', () => {
    const body = `${tree}\nparent ${parents[0]}\nparent ${parents[1]}\nauthor ${ada}\ncommitter Bob <b@x> 1700000100 -0800\n\nFix\n\nKey: value\n`;
    assert.deepEqual(parse([body]), {
      id,
      parents,
      tree: 'b'.repeat(40),
      message: 'Fix\n\nKey: value\n',
      author: { name: 'Ada', email: 'ada@example.com' },
      whenMs: 1_700_000_100_000,
    });
  });

  const messages: Record<string, [(string | Buffer)[], string]> = {
    'no message': [[usual], ''],
    'an empty message': [[`${usual}\n`], ''],
    'lines that end in CRLF': [[`${usual}\nFix\r\n\r\nKey: value\r\n`], 'Fix\r\n\r\nKey: value\r\n'],
    'an encoding': [[`${usual}encoding ISO-8859-1\n\n`, Buffer.from('gr\u00f6\u00dfer', 'latin1')], 'größer'],
    'an encoding that nobody knows': [[`${usual}encoding klingon\n\nFix`], 'Fix'],
    'bytes that are not UTF-8': [[`${usual}\n`, Buffer.from([0x61, 0xff, 0x62])], 'a\ufffdb'],
    'a signature': [
      [`${usual}gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\nFix`],
      'Fix',
    ],
    'a merged tag': [
      [`${usual}mergetag object ${id}\n type commit\n tag v1\n tagger Eve <e@x> 1 +0000\n \n Text\n\nMerge`],
      'Merge',
    ],
  };
  for (const [name, [lines, message]] of Object.entries(messages)) {
    it(`is read with ${name}`, () => {
      const info = parse(lines);
      assert.deepEqual([info.message, info.author.name, info.whenMs], [message, 'Ada', 1_700_000_000_000]);
    });
  }

  const authors: Record<string, [string, string, string, number]> = {
    'no email': ['Ada <> 1700000000 +0000', 'Ada', '', 1_700_000_000_000],
    'no name': ['<ada@x> 5 +0000', '', 'ada@x', 5000],
    'no brackets': ['Ada 1700000000 +0000', 'Ada', '', 1_700_000_000_000],
    'brackets in the name': ['A <b> <c@x> 7 +0000', 'A', 'b', 7000],
    'an open bracket': ['Ada <ada@x', 'Ada', 'ada@x', 0],
    'no time': ['Ada <ada@x>', 'Ada', 'ada@x', 0],
    'a time before 1970': ['Ada <ada@x> -60 +0000', 'Ada', 'ada@x', -60_000],
    nothing: ['', '', '', 0],
  };
  for (const [name, [line, author, email, whenMs]] of Object.entries(authors)) {
    it(`is read from an identity with ${name}`, () => {
      const info = parse([`${tree}\nauthor ${line}\ncommitter ${line}\n\nx`]);
      assert.deepEqual([info.author, info.whenMs], [{ name: author, email }, whenMs]);
    });
  }

  it('is read without any header', () => {
    assert.deepEqual(parse(['nonsense']), {
      id,
      parents: [],
      tree: '',
      message: '',
      author: { name: '', email: '' },
      whenMs: 0,
    });
  });
});
