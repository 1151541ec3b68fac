import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mergeSighting, mergeSightings } from '../../src/sighting/merge-sighting.ts';
import type { LedgerEntry } from '../../src/sighting/sighting.ts';

const digestOf = (byte: string): string => `sha256:${byte.repeat(32)}`;
const [first, second] = [digestOf('aa'), digestOf('bb')];
const entry = (parts: Partial<LedgerEntry> = {}): LedgerEntry => ({
  seenMs: 100,
  digest: undefined,
  digestSeenMs: undefined,
  movedFrom: undefined,
  ...parts,
});
const future = entry({ seenMs: 5000, digest: first, digestSeenMs: 6000 });
const looked = entry({ digest: first, digestSeenMs: 200 });

describe('mergeSighting', () => {
  interface Row {
    readonly before: LedgerEntry | undefined;
    readonly digest?: string;
    readonly lookedMs?: number;
    readonly after: LedgerEntry;
  }
  const rows: Record<string, Row> = {
    'begins with an unknown tag': { before: undefined, after: entry({ seenMs: 900 }) },
    'begins both clocks where its digest is known at once': {
      before: undefined,
      digest: first,
      after: entry({ seenMs: 900, digest: first, digestSeenMs: 900 }),
    },
    'counts a digest from when it was seen, not from when its tag was': {
      before: entry(),
      digest: first,
      after: entry({ digest: first, digestSeenMs: 900 }),
    },
    'changes nothing where the digest is the same': { before: looked, digest: first, after: looked },
    'changes nothing where only the name was seen': { before: looked, after: looked },
    'begins anew with another digest': {
      before: looked,
      digest: second,
      after: entry({ seenMs: 900, digest: second, digestSeenMs: 900, movedFrom: first }),
    },
    'begins anew where the tag is moved back': {
      before: entry({ seenMs: 300, digest: second, digestSeenMs: 300, movedFrom: first }),
      digest: first,
      after: entry({ seenMs: 900, digest: first, digestSeenMs: 900, movedFrom: second }),
    },
    'passes over a look that is older than what is known': {
      before: entry({ seenMs: 300, digest: second, digestSeenMs: 300, movedFrom: first }),
      digest: first,
      lookedMs: 299,
      after: entry({ seenMs: 300, digest: second, digestSeenMs: 300, movedFrom: first }),
    },
    'makes a moved tag no older where the clock was set back': {
      before: entry({ seenMs: 950, digest: first, digestSeenMs: 200 }),
      digest: second,
      after: entry({ seenMs: 950, digest: second, digestSeenMs: 900, movedFrom: first }),
    },
    'leaves times to come as they are: nothing grows older by a look': {
      before: future,
      digest: first,
      after: future,
    },
  };
  for (const [name, { before, digest, lookedMs, after }] of Object.entries(rows)) {
    it(name, () => {
      const merged = mergeSighting(before, { digest, lookedMs, nowMs: 900 });
      assert.deepEqual(merged, after);
      if (before === after) assert.equal(merged, before, 'the same object');
    });
  }
});

const times = fc.integer({ min: 0, max: 1000 });
const digests = fc.constantFrom(undefined, first, second, digestOf('cc'));
const looks = fc.array(fc.record({ digest: digests, nowMs: times }), { maxLength: 12 });
const merge = (entryBefore: LedgerEntry | undefined, all: readonly { digest: string | undefined; nowMs: number }[]) =>
  all.reduce<LedgerEntry | undefined>(mergeSighting, entryBefore);
const inTime = looks.map((all) => [...all].sort((a, b) => a.nowMs - b.nowMs));

describe('mergeSighting, whatever was seen', () => {
  it('does nothing the second time', () => {
    const property = fc.property(looks, digests, times, (past, digest, nowMs) => {
      const once = mergeSighting(merge(undefined, past), { digest, nowMs });
      assert.equal(mergeSighting(once, { digest, nowMs }), once);
    });
    fc.assert(property);
  });

  it('makes no digest and no tag older while time goes on', () => {
    const property = fc.property(inTime, (past) => {
      let known: LedgerEntry | undefined;
      for (const look of past) {
        const next = mergeSighting(known, look);
        assert.ok(next.seenMs >= (known?.seenMs ?? 0));
        if (known?.digestSeenMs !== undefined) assert.ok((next.digestSeenMs ?? -1) >= known.digestSeenMs);
        if (known?.digest !== undefined && next.digest !== known.digest) assert.equal(next.digestSeenMs, look.nowMs);
        known = next;
      }
    });
    fc.assert(property);
  });

  it('makes nothing older than it was at that very moment, also where a clock is set back', () => {
    const property = fc.property(looks, digests, times, (past, digest, nowMs) => {
      const before = merge(undefined, past);
      const after = mergeSighting(before, { digest, nowMs });
      const ageOf = (ms: number | undefined) => (ms === undefined ? 0 : Math.max(0, nowMs - ms));
      assert.ok(ageOf(after.seenMs) <= ageOf(before?.seenMs));
      assert.ok(ageOf(after.digestSeenMs) <= ageOf(before?.digestSeenMs));
      assert.ok(after.seenMs >= (before?.seenMs ?? 0));
    });
    fc.assert(property);
  });

  it('never counts a digest from before it was first seen behind the tag', () => {
    const property = fc.property(inTime, (past) => {
      const known = merge(undefined, past);
      const sightedMs = past.filter(({ digest }) => digest === known?.digest).map(({ nowMs }) => nowMs);
      if (known?.digest !== undefined) assert.ok((known.digestSeenMs ?? -1) >= Math.min(...sightedMs));
    });
    fc.assert(property);
  });

  it('makes nothing older by the order in which looks arrive that saw the same digest', () => {
    const look = fc.record({ digest: fc.constantFrom(undefined, first), nowMs: times });
    const property = fc.property(fc.array(look, { minLength: 1 }), (all) => {
      const inOrder = [...all].sort((a, b) => a.nowMs - b.nowMs);
      assert.ok((merge(undefined, all)?.seenMs ?? 0) >= (merge(undefined, inOrder)?.seenMs ?? 0));
      assert.equal(merge(undefined, all)?.digest, merge(undefined, inOrder)?.digest);
    });
    fc.assert(property);
  });

  it('lets looks that arrive in any order make a digest no older than the first look at it', () => {
    const property = fc.property(looks, (all) => {
      const known = merge(undefined, all);
      const sightedMs = all.map(({ nowMs }) => nowMs);
      if (known?.digestSeenMs !== undefined) assert.ok(known.digestSeenMs >= Math.min(...sightedMs));
    });
    fc.assert(property);
  });
});

describe('mergeSightings', () => {
  const seen = (tag: string, digest?: string) => ({ tag, digest });

  it('keeps tags that were not sighted', () => {
    const known = new Map([['1.0.0', looked]]);
    const after = mergeSightings(known, { sightings: [seen('1.1.0')], whole: true, nowMs: 900 });
    assert.deepEqual(
      [...after],
      [
        ['1.0.0', looked],
        ['1.1.0', entry({ seenMs: 900 })],
      ],
    );
  });

  it('is the same map where nothing changed', () => {
    const known = new Map([['1.0.0', looked]]);
    assert.equal(mergeSightings(known, { sightings: [seen('1.0.0', first), seen('1.0.0')], nowMs: 900 }), known);
  });

  it('takes a tag that stands twice as seen twice', () => {
    const after = mergeSightings(new Map(), { sightings: [seen('a', first), seen('a', second)], nowMs: 900 });
    assert.deepEqual(after.get('a')?.movedFrom, first);
  });

  it('forgets the longest known of those that vanished, where they are more than 10,000 and the listed ones twice', () => {
    const known = new Map(Array.from({ length: 10_005 }, (_, index) => [`t${index}`, entry({ seenMs: index })]));
    const sightings = [seen('t0'), seen('new')];
    assert.equal(mergeSightings(known, { sightings, nowMs: 20_000 }).size, 10_006);
    const after = mergeSightings(known, { sightings, whole: true, nowMs: 20_000 });
    assert.equal(after.size, 10_004);
    assert.deepEqual(
      ['t0', 't1', 't2', 't3', 'new'].filter((tag) => !after.has(tag)),
      ['t1', 't2'],
    );
  });
});
