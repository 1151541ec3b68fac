import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdBack } from '../../src/hold/hold.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { semverRule, testPolicy, testSelection } from '../make-policy.ts';

const digest = `sha256:${'aa'.repeat(32)}`;

describe('holdBack', () => {
  interface Row {
    readonly policy?: Partial<Policy>;
    readonly tag: string;
    readonly held: readonly string[];
    readonly kept: boolean;
  }
  const rows: Record<string, Row> = {
    'holds what is below a version taken away': { tag: '1.4.9', held: ['1.5.0'], kept: false },
    'holds the same version spelled another way': { tag: 'v1.5.0', held: ['1.5.0'], kept: false },
    'lets a newer one pass': { tag: '1.5.1', held: ['1.4.0', '1.5.0'], kept: true },
    'holds what is above one and below another': { tag: '1.4.5', held: ['1.5.0', '1.4.0'], kept: false },
    'lets the same tag with another digest pass': { tag: '1.5.0', held: [`1.5.0@${digest}`], kept: true },
    'goes by the policy’s order': {
      policy: { select: { kind: 'numerical', order: 'desc' } },
      tag: '9',
      held: ['10'],
      kept: true,
    },
    'takes a version that the range leaves out now for no floor': {
      policy: { select: semverRule('>=1.0.0 <2.0.0') },
      tag: '1.9.1',
      held: ['2.0.0'],
      kept: true,
    },
    'knows no order of digests': {
      policy: { select: { kind: 'digest', tag: 'main' } },
      tag: 'main',
      held: [`main@${digest}`],
      kept: true,
    },
    'knows no order of what is no version': { tag: '1.5.0', held: ['nightly', digest], kept: true },
  };
  for (const [name, { policy, tag, held, kept }] of Object.entries(rows)) {
    it(name, () => {
      const versions = held.map((version) => ({ version, commit: 'c' }));
      const hold = { policy: 'shop/web', asked: undefined, endsAt: undefined, versions };
      const selection = testSelection({ tag, tags: [{ tag, verdict: 'selected', reason: 'best' }] });
      const found = holdBack(testPolicy(policy), selection, { hold });
      if (kept) assert.equal(found, selection);
      else assert.deepEqual([found.kind, found.tag, found.tags[0]?.verdict], ['held', undefined, 'held']);
    });
  }

  it('holds every update where a person asked so, and changes nothing else', () => {
    const asked = { commit: 'c', sinceMs: Date.UTC(2025, 2, 1), reason: 'audit' };
    const hold = { policy: 'shop/web', asked, endsAt: undefined, versions: [] };
    const found = holdBack(testPolicy(), testSelection({ tag: '9.0.0' }), { hold });
    assert.deepEqual([found.kind, found.reason], ['held', 'held since 2025-03-01: audit']);
    const current = testSelection({ kind: 'current' });
    assert.equal(holdBack(testPolicy(), current, { hold }), current);
  });
});
