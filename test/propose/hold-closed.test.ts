import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findHolding, holdClosed } from '../../src/propose/hold-closed.ts';
import type { Selection } from '../../src/select/selection.ts';
import { testPolicy, testSelection } from '../make-policy.ts';

const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
const cases: readonly {
  what: string;
  selection?: Partial<Selection>;
  version: string;
  held: boolean;
  digest?: true;
}[] = [
  { what: 'the very version', version: '1.5.0', held: true },
  {
    what: 'the version with a digest, where none was written',
    selection: { digest: one },
    version: '1.5.0',
    held: true,
  },
  { what: 'the same digest', selection: { digest: one }, version: `1.5.0@${one}`, held: true },
  { what: 'another digest under the same tag', selection: { digest: two }, version: `1.5.0@${one}`, held: false },
  { what: 'a lower version', version: '1.6.0', held: true },
  { what: 'a higher version', version: '1.4.9', held: false },
  { what: 'what is no version', version: 'latest', held: false },
  { what: 'what is current', selection: { kind: 'current' }, version: '1.5.0', held: false },
  {
    what: 'a digest beside what is current',
    selection: { kind: 'current', digest: one },
    version: `1.5.0@${one}`,
    held: true,
  },
  { what: 'no version at all', selection: { kind: 'none', tag: undefined }, version: '1.5.0', held: false },
  {
    what: 'the followed digest',
    selection: { tag: 'main', digest: one },
    version: `main@${one}`,
    held: true,
    digest: true,
  },
  {
    what: 'the next digest of the tag',
    selection: { tag: 'main', digest: two },
    version: `main@${one}`,
    held: false,
    digest: true,
  },
];

describe('findHolding', () => {
  for (const { what, selection = {}, version, held, digest } of cases)
    it(`${what}: ${held ? 'held' : 'free'}`, () => {
      const policy = testPolicy(digest ? { select: { kind: 'digest', tag: 'main' } } : {});
      const given = testSelection(selection);
      const closed = [{ policy: 'shop/web', version, url: 'https://forge/7' }];
      const by = findHolding(policy, given, closed);
      assert.equal(by, held ? closed[0] : undefined);
      if (by === undefined) return;
      const { kind, tag, digest: left } = holdClosed(given, by);
      assert.deepEqual([kind, tag, left], ['held', undefined, undefined]);
    });

  it('leaves other policies alone', () => {
    const given = testSelection();
    assert.equal(findHolding(testPolicy(), given, [{ policy: 'shop/api', version: '1.5.0', url: '' }]), undefined);
  });

  it('names the one that holds, not another', () => {
    const closed = ['1.4.9', '1.6.0'].map((version) => ({ policy: 'shop/web', version, url: '' }));
    assert.equal(findHolding(testPolicy(), testSelection(), closed)?.version, '1.6.0');
  });
});
