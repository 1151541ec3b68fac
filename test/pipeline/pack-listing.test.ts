import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isSameListing, packListing, unpackListing } from '../../src/pipeline/pack-listing.ts';

const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/);
const times = fc.option(fc.dictionary(tag, fc.integer({ min: 0, max: 2e12 })), { nil: undefined });

describe('packListing', () => {
  it('gives back each tag once, in code-unit order, with the times that were known', () => {
    fc.assert(
      fc.property(fc.array(tag), times, (tags, known) => {
        const names = [...tags, ...Object.keys(known ?? {})];
        const pushedMs = known && new Map(Object.entries(known));
        const back = unpackListing(packListing({ tags: names, pushedMs }));
        assert.deepEqual(back.tags, [...new Set(names)].sort());
        assert.deepEqual(back.pushedMs && [...back.pushedMs].sort(), pushedMs && [...pushedMs].sort());
      }),
    );
  });

  it('leaves a tag without a time without one', () => {
    const back = unpackListing(packListing({ tags: ['b', 'a'], pushedMs: new Map([['b', 5]]) }));
    assert.deepEqual(back, { tags: ['a', 'b'], pushedMs: new Map([['b', 5]]) });
  });

  it('keeps why times are missing', () => {
    const listing = { tags: ['a'], pushedMs: new Map(), pushTimesFault: new Error('none') };
    assert.deepEqual(unpackListing(packListing(listing)), listing);
  });

  it('takes nothing', () => {
    assert.deepEqual(unpackListing(packListing({ tags: [], pushedMs: new Map() })), { tags: [], pushedMs: new Map() });
  });
});

describe('isSameListing', () => {
  const plain = packListing({ tags: ['a', 'b'], pushedMs: undefined });
  const timed = packListing({ tags: ['b', 'a'], pushedMs: new Map([['a', 1]]) });
  const pushed = packListing({ tags: ['a', 'b'], pushedMs: new Map([['a', 2]]) });
  const rows: Record<string, [typeof plain, typeof plain, boolean]> = {
    'the same tags in another order': [plain, packListing({ tags: ['b', 'a'], pushedMs: undefined }), true],
    'another tag': [plain, packListing({ tags: ['a', 'b', 'c'], pushedMs: undefined }), false],
    'times on one side only': [plain, timed, true],
    'the same times': [timed, packListing({ tags: ['a', 'b'], pushedMs: new Map([['a', 1]]) }), true],
    'times that cannot be had now': [timed, { ...timed, pushTimesFault: new Error('none') }, true],
    'a tag that was pushed again': [timed, pushed, false],
  };
  for (const [name, [a, b, same]] of Object.entries(rows)) {
    it(`${same ? 'sees no change in' : 'sees'} ${name}`, () => {
      assert.deepEqual([isSameListing(a, b), isSameListing(b, a)], [same, same]);
    });
  }
});
