import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseVersionText } from '../../src/hold/find-lost.ts';
import { maxHeldVersions } from '../../src/hold/hold.ts';
import { listKept } from '../../src/hold/list-kept.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { testPolicy } from '../make-policy.ts';

const a = `sha256:${'aa'.repeat(32)}`;
const b = `sha256:${'bb'.repeat(32)}`;
const update = (to: string, from?: string) => ({ policy: 'shop/web', image: 'ghcr.io/acme/web', from, to });

describe('listKept', () => {
  interface Row {
    /** `1.5.0`, or `1.4.2 1.5.0` with what stood there before. */
    readonly earlier: readonly string[];
    /** As `earlier`. */
    readonly written: readonly string[];
    /** Places that are not written to. */
    readonly untouched: readonly string[];
    readonly policy?: Partial<Policy>;
    readonly kept: readonly string[];
  }
  const rows: Record<string, Row> = {
    'nothing where all places are written to': { earlier: ['1.5.0'], written: ['1.6.0'], untouched: [], kept: [] },
    'what stands elsewhere, above and below': { earlier: ['1.3.0', '1.5.0'], written: ['1.4.0'], untouched: ['1.5.0', '1.3.0'], kept: ['1.3.0', '1.5.0'] },
    'each once, whatever stood before': { earlier: ['1.4.2 1.5.0', '1.4.2 1.5.0'], written: ['1.4.0'], untouched: ['1.5.0', '1.5.0'], kept: ['1.5.0'] },
    'not what is written again': { earlier: ['1.5.0'], written: ['1.5.0'], untouched: ['1.5.0'], kept: [] },
    'what is written again in place of another version': { earlier: ['1.6.0 1.5.0'], written: ['1.0.0 1.5.0'], untouched: ['1.5.0'], kept: ['1.5.0'] },
    'not what a person took away': { earlier: ['1.5.0'], written: ['1.4.0'], untouched: ['1.4.2'], kept: [] },
    'what a person’s newer version covers': { earlier: ['1.5.0'], written: ['1.4.0'], untouched: ['1.6.0'], kept: ['1.5.0'] },
    'nothing covered that is below what is written': { earlier: ['1.5.0'], written: ['1.5.1'], untouched: ['1.6.0'], kept: [] },
    'a digest that stands, not another one': { earlier: [`1.5.0@${a}`, `1.5.0@${b}`], written: ['1.4.0'], untouched: [`1.5.0@${b}`], kept: [`1.5.0@${b}`] },
    'no digest that was taken off where it alone had been added': { earlier: [`1.5.0 1.5.0@${a}`], written: ['1.4.0'], untouched: ['1.5.0'], kept: [] },
    'a digest of a tag that is followed': { policy: { select: { kind: 'digest', tag: 'main' } }, earlier: [`main@${a}`], written: [`main@${b}`], untouched: [`main@${a}`], kept: [`main@${a}`] },
  }; // biome-ignore format: rows
  for (const [name, { earlier, written, untouched, policy, kept }] of Object.entries(rows)) {
    it(name, () => {
      const read = (text: string) => {
        const [to = '', from] = text.split(' ').reverse();
        return update(to, from);
      };
      const updates = earlier.map(read);
      const after = { written: written.map(read), untouched: untouched.map(parseVersionText) };
      assert.deepEqual(
        listKept(testPolicy(policy), updates, after).map(({ to }) => to),
        kept,
      );
    });
  }

  it('keeps no more than a message shall carry, and of those the newest', () => {
    const versions = Array.from({ length: maxHeldVersions + 5 }, (_, index) => `1.${index}.0`);
    const after = { written: [update('0.1.0')], untouched: versions.map(parseVersionText) };
    const kept = listKept(testPolicy(), versions.map((to) => update(to)), after); // biome-ignore format: one line
    assert.deepEqual([kept.length, kept[0]?.to, kept.at(-1)?.to], [maxHeldVersions, '1.5.0', versions.at(-1)]);
  });
});
