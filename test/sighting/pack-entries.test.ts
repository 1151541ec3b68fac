import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findPacked, packEntries, unpackEntries } from '../../src/sighting/pack-entries.ts';
import type { LedgerEntry } from '../../src/sighting/sighting.ts';

const repository = 'ghcr.io/acme/web';
const digest = fc.stringMatching(/^sha256:[0-9a-f]{64}$/);
const time = fc.integer({ min: 0, max: 8.64e15 });
const entry: fc.Arbitrary<LedgerEntry> = fc.oneof(
  time.map((seenMs) => ({ seenMs, digest: undefined, digestSeenMs: undefined, movedFrom: undefined })),
  fc.record(
    { seenMs: time, digest, digestSeenMs: time, movedFrom: fc.option(digest, { nil: undefined }) },
    { noNullPrototype: true },
  ),
);
const entries = fc
  .array(fc.tuple(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), entry))
  .map((all) => new Map(all));

describe('packEntries', () => {
  it('gives back what was packed', () => {
    const property = fc.property(entries, (all) => {
      assert.deepEqual(unpackEntries(repository, packEntries(repository, all)), { entries: all });
    });
    fc.assert(property);
  });

  it('has each entry found by its tag, and no other', () => {
    const property = fc.property(entries, (all) => {
      const text = packEntries(repository, all);
      for (const tag of [...all.keys(), 'none-of-them-is-so-long'])
        assert.deepEqual(findPacked(text, tag), all.get(tag));
    });
    fc.assert(property);
  });

  it('tells every text that was cut off', () => {
    const property = fc.property(entries, fc.nat(), (all, cut) => {
      const text = packEntries(repository, all);
      assert.ok('fault' in unpackEntries(repository, text.slice(0, cut % text.length)));
    });
    fc.assert(property);
  });

  it('takes no thousand tags for more than 23 kB', () => {
    const known = { seenMs: 1_700_000_000_000, digest: undefined, digestSeenMs: undefined, movedFrom: undefined };
    const all = new Map(Array.from({ length: 1000 }, (_, index) => [`v1.${index}.0-abc`, known]));
    assert.ok(packEntries(repository, all).length < 23_000);
  });
});

describe('unpackEntries', () => {
  const a = `sha256:${'ab'.repeat(32)}`;
  /** The text with these lines, and a checksum that is right. */
  const withLines = (lines: string): string => {
    let hash = 0x811c9dc5n;
    for (const byte of Buffer.from(lines)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
    return `tallyman-ledger-1\t${hash.toString(16).padStart(8, '0')}\t${repository}\n${lines}`;
  };
  const rows: Record<string, { text: string; fault: string }> = {
    nothing: { text: '', fault: 'it does not begin with "tallyman-ledger-1"' },
    'another form': {
      text: `tallyman-ledger-2\t811c9dc5\t${repository}\n`,
      fault: 'it does not begin with "tallyman-ledger-1"',
    },
    'another repository': { text: 'tallyman-ledger-1\t811c9dc5\tghcr.io/x\n', fault: 'it is about another repository' },
    'a time that turned': { text: withLines('a\t12\n').replace('12', '02'), fault: 'its checksum is another' },
    'a tag that is none': { text: withLines('../x\t1\n'), fault: 'line 2 is no entry' },
    'a tag that stands twice': { text: withLines('a\t1\na\t2\n'), fault: 'line 3 is no entry' },
    'no time': { text: withLines('a\t\n'), fault: 'line 2 is no entry' },
    'a time that is none': { text: withLines('a\t-1\n'), fault: 'line 2 is no entry' },
    'a time beyond all': { text: withLines('a\tzzzzzzzzzzz\n'), fault: 'line 2 is no entry' },
    'a digest without its time': { text: withLines(`a\t1\t\t${a}\n`), fault: 'line 2 is no entry' },
    'a digest that is none': { text: withLines('a\t1\t1\tmd5:ab\n'), fault: 'line 2 is no entry' },
    'more than there is to say': { text: withLines(`a\t1\t1\t${a}\t${a}\tx\n`), fault: 'line 2 is no entry' },
  };
  it('takes what is right', () =>
    assert.ok('entries' in unpackEntries(repository, withLines(`a\t1\t1\t${a}\t${a}\n`))));
  for (const [name, { text, fault }] of Object.entries(rows)) {
    it(`refuses ${name}`, () => assert.deepEqual(unpackEntries(repository, text), { fault }));
  }
});
