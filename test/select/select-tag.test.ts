import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Policy } from '../../src/policy/policy.ts';
import { isUpgrade, selectTag } from '../../src/select/select-tag.ts';
import { semverRule, testPolicy } from '../make-policy.ts';

const semver = (range: string, prereleases = false): Policy['select'] => semverRule(range, { prereleases });
const extract = (pattern: string): Pick<Policy, 'extract'> => ({ extract: { pattern, template: '${version}' } });

interface Row {
  policy: Partial<Policy>;
  tags: string[];
  current?: string;
  kind: string;
  tag?: string;
  reasons?: Record<string, string>;
}

const rows: Record<string, Row> = {
  'the highest in range': { policy: { select: semver('>=1.4.0 <2.0.0') }, tags: ['1.4.2', '1.10.0', '1.9.9', '2.0.0', 'latest', '1.4'], current: '1.4.2', kind: 'update', tag: '1.10.0', reasons: { '2.0.0': 'outside range ">=1.4.0 <2.0.0"', latest: 'not a version', '1.4': 'not a version', '1.9.9': 'not above 1.10.0' } },
  'no prerelease': { policy: {}, tags: ['1.0.0', '1.1.0-rc.1'], current: '1.0.0', kind: 'current', tag: '1.0.0', reasons: { '1.1.0-rc.1': 'prerelease' } },
  'prereleases where asked for': { policy: { select: semver('*', true) }, tags: ['1.0.0', '1.1.0-rc.1'], current: '1.0.0', kind: 'update', tag: '1.1.0-rc.1' },
  "prereleases that the range names": { policy: { select: semver('>=1.1.0-rc.0 <2') }, tags: ['1.0.0', '1.1.0-rc.1'], current: '1.0.0', kind: 'update', tag: '1.1.0-rc.1' },
  'include and exclude': { policy: { include: ['^v?\\d+\\.\\d+\\.\\d+', 'x'], exclude: ['-debug$'] }, tags: ['1.0.0', '1.2.0-debug', '1.1.0'], kind: 'update', tag: '1.1.0', reasons: { '1.2.0-debug': 'excluded by "-debug$"' } },
  'not included': { policy: { include: ['^v'] }, tags: ['1.0.0'], kind: 'none', reasons: { '1.0.0': 'not included by "^v"' } },
  'the extracted version': { policy: { ...extract('^v(?<version>.+)-alpine$') }, tags: ['v1.2.0-alpine', 'v1.10.0-alpine', 'v2.0.0', 'v-alpine'], current: 'v1.2.0-alpine', kind: 'update', tag: 'v1.10.0-alpine', reasons: { 'v2.0.0': 'not matched by extract "^v(?<version>.+)-alpine$"' } },
  'skip by tag and by version': { policy: { ...extract('^v(?<version>.+)$'), skip: ['v1.2.0', '1.3.0'] }, tags: ['v1.1.0', 'v1.2.0', 'v1.3.0'], kind: 'update', tag: 'v1.1.0', reasons: { 'v1.3.0': 'skip', 'v1.2.0': 'skip' } },
  'never a downgrade': { policy: { select: semver('<2') }, tags: ['1.0.0', '1.9.0'], current: '2.1.0', kind: 'current', tag: '1.9.0' },
  'a downgrade where allowed': { policy: { select: semver('<2'), allowDowngrade: true }, tags: ['1.0.0', '1.9.0', '2.1.0'], current: '2.1.0', kind: 'update', tag: '1.9.0' },
  'no downgrade, though allowed, from a tag that vanished': { policy: { allowDowngrade: true }, tags: ['1.0.0'], current: '2.1.0', kind: 'current', tag: '1.0.0' },
  'a vanished tag': { policy: {}, tags: ['1.0.0'], current: '1.1.0', kind: 'current', tag: '1.0.0' },
  'nothing at all': { policy: {}, tags: [], current: '1.0.0', kind: 'none' },
  'above a placeholder': { policy: {}, tags: ['0.0.1'], current: 'latest', kind: 'update', tag: '0.0.1' },
  'the spelling that Git has': { policy: {}, tags: ['v1.0.0', '1.0.0'], current: 'v1.0.0', kind: 'current', tag: 'v1.0.0' },
  'the spelling like the one that Git has': { policy: {}, tags: ['v1.1.0', '1.1.0'], current: 'v1.0.0', kind: 'update', tag: 'v1.1.0' },
  'the shorter spelling otherwise': { policy: {}, tags: ['v1.1.0', '1.1.0'], kind: 'update', tag: '1.1.0' },
  'the same version in another spelling is no update': { policy: {}, tags: ['v1.0.0'], current: '1.0.0', kind: 'current', tag: 'v1.0.0' },
  'a huge number is no version': { policy: {}, tags: ['1.0.99999999999999999999', '1.0.1'], kind: 'update', tag: '1.0.1' },
}; // biome-ignore format: a table

describe('selectTag', () => {
  for (const [name, row] of Object.entries(rows)) {
    it(name, () => {
      const policy = testPolicy(row.policy);
      const selection = selectTag(policy, row.tags, row.current);
      assert.deepEqual([selection.kind, selection.tag], [row.kind, row.tag]);
      assert.deepEqual(
        selection.tags.map((verdict) => verdict.tag).sort(),
        [...row.tags].sort(),
        'every tag has its reason',
      );
      for (const [tag, reason] of Object.entries(row.reasons ?? {})) {
        assert.equal(selection.tags.find((verdict) => verdict.tag === tag)?.reason, reason);
      }
    });
  }

  it('carries the digest that it is told', () => {
    const facts = new Map([['1.0.0', { digest: 'sha256:a' }]]);
    assert.equal(selectTag(testPolicy(), ['1.0.0'], undefined, { facts }).digest, 'sha256:a');
  });

  const version = fc.tuple(
    fc.constantFrom('', 'v'),
    fc.nat(3),
    fc.nat(3),
    fc.nat(3),
    fc.constantFrom('', '', '-rc.1', '-1'),
  );
  const tag = fc.oneof(
    version.map(([v, major, minor, patch, rest]) => `${v}${major}.${minor}.${patch}${rest}`),
    fc.constantFrom('latest', 'main', '1.2', 'x'),
  );
  const range = fc.constantFrom('*', '^1', '>=1.1 <3', '<2', '>=0.0.0-0');

  it('answers the same whatever the order of the tags, and however often one is named', () => {
    fc.assert(
      fc.property(
        fc.array(tag),
        fc.option(tag, { nil: undefined }),
        range,
        fc.boolean(),
        (tags, current, wanted, prereleases) => {
          const policy = testPolicy({ select: semver(wanted, prereleases) });
          const selection = selectTag(policy, tags, current);
          assert.deepEqual(selectTag(policy, [...tags].reverse(), current), selection);
          assert.deepEqual(selectTag(policy, [...tags, ...tags].sort(), current), selection);
        },
      ),
    );
  });

  it('never goes down, and agrees with isUpgrade', () => {
    fc.assert(
      fc.property(fc.array(tag), tag, range, (tags, current, wanted) => {
        const policy = testPolicy({ select: semver(wanted) });
        const selection = selectTag(policy, tags, current);
        if (selection.tag === undefined) return;
        assert.equal(selection.kind === 'update', isUpgrade(policy, selection.tag, current));
        if (selection.kind === 'update')
          assert.equal(isUpgrade(policy, current, selection.tag) && /^v?\d+\.\d+\.\d+/.test(current), false);
      }),
    );
  });
});
