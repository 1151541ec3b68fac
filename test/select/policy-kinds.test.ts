import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Policy, SelectRule } from '../../src/policy/policy.ts';
import { type SelectContext, selectTag, sortVerdicts } from '../../src/select/select-tag.ts';
import type { TagFacts } from '../../src/select/tag-facts.ts';
import { semverRule, testPolicy } from '../make-policy.ts';

const hour = 3_600_000;
const digests = ['a', 'b'].map((sign) => `sha256:${sign.repeat(64)}`);
const [oldDigest = '', newDigest = ''] = digests;
const factsOf = (facts: Record<string, TagFacts>): ReadonlyMap<string, TagFacts> => new Map(Object.entries(facts));

interface Row {
  rule: SelectRule;
  more?: Partial<Policy>;
  tags: string[];
  current?: string;
  context?: SelectContext;
  kind: string;
  tag?: string;
  reason?: RegExp;
  wakeMs?: number;
  verdicts?: Record<string, string>;
}

const calver = (layout: string): SelectRule => ({ kind: 'calver', layout });
const numerical = (order: 'asc' | 'desc' = 'asc'): SelectRule => ({ kind: 'numerical', order });
const any = semverRule('*');

const rows: Record<string, Row> = {
  'coerced two-part versions': { rule: semverRule('^1', { coerce: true }), tags: ['1.9', '1.10', '2', 'v1.10.1-rc.1'], current: '1.9', kind: 'update', tag: '1.10' },
  'a calendar layout': { rule: calver('YYYY.MM.MICRO'), tags: ['2024.9.3', '2024.10.0', '2023.12.9', '2024.13.0', 'latest', '1.2.3'], kind: 'update', tag: '2024.10.0', verdicts: { '2024.13.0': 'not of layout "YYYY.MM.MICRO"', '1.2.3': 'not of layout "YYYY.MM.MICRO"' } },
  'a zero-padded layout': { rule: calver('YY.0M'), tags: ['24.04', '24.10', '24.4', '22.04'], current: '22.04', kind: 'update', tag: '24.10', verdicts: { '24.4': 'not of layout "YY.0M"' } },
  'a layout with a modifier and a v': { rule: calver('YYYY.0M.0D-MODIFIER'), tags: ['v2024.01.02-a', '2024.01.02-b', '2024.01.01-z'], kind: 'update', tag: '2024.01.02-b' },
  'numbers beyond floating point': { rule: numerical(), tags: ['20240101120000123', '20240101120000124', '9'], kind: 'update', tag: '20240101120000124' },
  'numbers with fractions and signs': { rule: numerical(), tags: ['1.5', '1.50', '-2', '1.05', 'inf', '1e9', '0x10'], kind: 'update', tag: '1.5', verdicts: { inf: 'not a number', '1e9': 'not a number' } },
  'the lowest number': { rule: numerical('desc'), tags: ['3', '2', '10'], current: '3', kind: 'update', tag: '2' },
  'never up where the lowest is wanted': { rule: numerical('desc'), tags: ['3', '10'], current: '2', kind: 'current', tag: '3' },
  'the last in code-unit order': { rule: { kind: 'alphabetical', order: 'asc' }, tags: ['Zeta', 'alpha'], kind: 'update', tag: 'alpha' },
  'the newest by trusted time': { rule: { kind: 'newest' }, tags: ['b', 'a', 'c'], current: 'b', context: { facts: factsOf({ a: { seenMs: 30 }, b: { seenMs: 10 } }) }, kind: 'update', tag: 'a', verdicts: { c: 'no trusted time is known' } },
  'none where several are equally new, and Git has none to compare with': { rule: { kind: 'newest' }, tags: ['a', 'b'], current: 'gone', context: { seenTogether: true, facts: factsOf({ a: { seenMs: 10 }, b: { seenMs: 10 } }) }, kind: 'waiting', reason: /^2 tags are equally new, which of them is the newest is not known$/ },
  'the shorter where several are newer than what Git has': { rule: { kind: 'newest' }, tags: ['bb', 'c', 'a'], current: 'a', context: { facts: factsOf({ a: { seenMs: 5 }, bb: { seenMs: 10 }, c: { seenMs: 10 } }) }, kind: 'update', tag: 'c' },
  'nothing where all are equally new': { rule: { kind: 'newest' }, tags: ['a', 'bb'], current: 'bb', context: { facts: factsOf({ a: { seenMs: 10 }, bb: { seenMs: 10 } }) }, kind: 'current', tag: 'bb' },
  'a tag that was moved, where that does not matter': { rule: any, tags: ['1.1.0'], current: '1.0.0', context: { facts: factsOf({ '1.1.0': { movedFrom: oldDigest } }) }, kind: 'update', tag: '1.1.0' },
  'no tag that was moved, where that matters': { rule: any, more: { mutation: 'block' }, tags: ['1.1.0', '1.2.0'], current: '1.0.0', context: { facts: factsOf({ '1.2.0': { movedFrom: oldDigest } }) }, kind: 'update', tag: '1.1.0', verdicts: { '1.2.0': `moved, it was ${oldDigest} before` } },
  'nothing newer by trusted time': { rule: { kind: 'newest' }, tags: ['a', 'b'], current: 'a', context: { facts: factsOf({ a: { seenMs: 30 }, b: { seenMs: 10 } }) }, kind: 'current', tag: 'a' },
  'a moving tag whose digest changed': { rule: { kind: 'digest', tag: 'main' }, tags: ['main', 'v1'], current: `main@${oldDigest}`, context: { facts: factsOf({ main: { digest: newDigest } }) }, kind: 'update', tag: 'main', verdicts: { v1: 'not the tag "main" that is followed' } },
  'a moving tag that stands still': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: `main@${newDigest}`, context: { facts: factsOf({ main: { digest: newDigest } }) }, kind: 'current', tag: 'main' },
  'a digest alone of the moving tag': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: newDigest, context: { facts: factsOf({ main: { digest: newDigest } }) }, kind: 'current', tag: 'main' },
  'a moving tag in place of another': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: `dev@${newDigest}`, context: { facts: factsOf({ main: { digest: newDigest } }) }, kind: 'update', tag: 'main' },
  'a moving tag of unknown digest': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: 'main', kind: 'waiting', tag: 'main', reason: /not known/ },
  'a moving tag that vanished': { rule: { kind: 'digest', tag: 'main' }, tags: ['v1'], current: `main@${oldDigest}`, kind: 'none' },
  'an older one while the newest is too young': { rule: any, more: { minimumAgeMs: 24 * hour }, tags: ['1.1.0', '1.2.0'], current: '1.0.0', context: { nowMs: 100 * hour, facts: factsOf({ '1.1.0': { agedFromMs: 50 * hour }, '1.2.0': { agedFromMs: 90 * hour } }) }, kind: 'update', tag: '1.1.0', wakeMs: 114 * hour, verdicts: { '1.2.0': 'younger than 24h' } },
  'waiting for its age': { rule: any, more: { minimumAgeMs: 90 * 60_000 }, tags: ['1.0.0', '1.2.0'], current: '1.0.0', context: { nowMs: hour, facts: factsOf({ '1.0.0': { agedFromMs: -hour }, '1.2.0': { agedFromMs: hour } }) }, kind: 'waiting', tag: '1.0.0', reason: /^1\.2\.0: younger than 90m$/, wakeMs: 2.5 * hour },
  'exactly old enough': { rule: any, more: { minimumAgeMs: hour }, tags: ['1.2.0'], context: { nowMs: 2 * hour, facts: factsOf({ '1.2.0': { agedFromMs: hour } }) }, kind: 'update', tag: '1.2.0' },
  'an unknown age is too young': { rule: any, more: { minimumAgeMs: hour }, tags: ['1.2.0'], context: { nowMs: 2 * hour }, kind: 'waiting', reason: /age is not known/ },
  'not waiting for what would be no update': { rule: any, more: { minimumAgeMs: hour }, tags: ['1.0.0'], current: '1.2.0', context: { nowMs: 0 }, kind: 'none' },
  'a missing platform': { rule: any, more: { platforms: ['linux/amd64', 'linux/arm64'] }, tags: ['1.1.0', '1.2.0'], current: '1.0.0', context: { facts: factsOf({ '1.1.0': { platforms: ['linux/arm64', 'linux/amd64'] }, '1.2.0': { platforms: ['linux/amd64'] } }) }, kind: 'update', tag: '1.1.0', verdicts: { '1.2.0': 'platform missing: linux/arm64' } },
  'unknown platforms': { rule: any, more: { platforms: ['linux/amd64'] }, tags: ['1.2.0'], current: '1.0.0', kind: 'waiting', reason: /platforms are not known/ },
  'held by a person': { rule: any, tags: ['1.0.0', '1.2.0'], current: '1.0.0', context: { held: new Set(['1.2.0']) }, kind: 'held', tag: '1.0.0', reason: /^1\.2\.0: held$/, verdicts: { '1.2.0': 'held' } },
  'a hold that a newer candidate ends': { rule: any, tags: ['1.0.0', '1.2.0', '1.3.0'], current: '1.0.0', context: { held: new Set(['1.2.0']) }, kind: 'update', tag: '1.3.0' },
  'held by tag and digest': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: `main@${oldDigest}`, context: { held: new Set([`main@${newDigest}`]), facts: factsOf({ main: { digest: newDigest } }) }, kind: 'held', reason: /held/ },
  'a hold of another digest is over': { rule: { kind: 'digest', tag: 'main' }, tags: ['main'], current: `main@${oldDigest}`, context: { held: new Set([`main@sha256:${'c'.repeat(64)}`]), facts: factsOf({ main: { digest: newDigest } }) }, kind: 'update', tag: 'main' },
  'no downgrade from a truncated listing': { rule: semverRule('<2'), more: { allowDowngrade: true }, tags: ['1.0.0', '2.0.0'], current: '2.0.0', context: { truncated: true }, kind: 'current', tag: '1.0.0' },
  'but an upgrade from one': { rule: any, tags: ['1.0.0', '2.0.0'], current: '1.0.0', context: { truncated: true }, kind: 'update', tag: '2.0.0' },
  "ties as Argo CD settles them": { rule: semverRule('^1', { grammar: 'argocd' }), more: { ties: 'last' }, tags: ['1', '1.0', '1.0.0'], kind: 'update', tag: '1.0.0' },
}; // biome-ignore format: a table

describe('policy kinds', () => {
  for (const [name, row] of Object.entries(rows)) {
    it(name, () => {
      const policy = testPolicy({ select: row.rule, ...row.more });
      const selection = selectTag(policy, row.tags, row.current, row.context);
      assert.deepEqual([selection.kind, selection.tag], [row.kind, row.tag], selection.reason);
      assert.equal(selection.wakeMs, row.wakeMs);
      if (row.reason !== undefined) assert.match(selection.reason, row.reason);
      for (const [tag, reason] of Object.entries(row.verdicts ?? {})) {
        assert.equal(selection.tags.find((verdict) => verdict.tag === tag)?.reason, reason);
      }
    });
  }

  it('answer the same in any order of tags, whatever the kind', () => {
    const rules: SelectRule[] = [
      any,
      semverRule('*', { coerce: true }),
      calver('YYYY.MM'),
      numerical(),
      numerical('desc'),
      { kind: 'alphabetical', order: 'desc' },
      { kind: 'newest' },
      { kind: 'digest', tag: '1' },
    ];
    const tag = fc.stringMatching(/^v?[0-9]{1,2}(?:\.[0-9]{1,2}){0,2}$/);
    const facts = fc.dictionary(tag, fc.record({ seenMs: fc.nat(3), digest: fc.constantFrom(...digests) }));
    fc.assert(
      fc.property(
        fc.array(tag),
        fc.option(tag, { nil: undefined }),
        fc.constantFrom(...rules),
        facts,
        (tags, current, rule, known) => {
          const policy = testPolicy({ select: rule, minimumAgeMs: 2 });
          const context = { nowMs: 3, facts: new Map(Object.entries(known)), held: new Set(['1.1', '2']) };
          const selection = selectTag(policy, tags, current, context);
          assert.deepEqual(selectTag(policy, [...tags].reverse(), current, context), selection);
          assert.equal(selection.tags.length, new Set(tags).size);
          if (selection.kind === 'update') assert.ok(!context.held.has(selection.tag ?? ''));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('sortVerdicts', () => {
  it('puts the best version first and what is none last', () => {
    const policy = testPolicy();
    const { tags } = selectTag(policy, ['latest', '1.10.0', '1.9.0', '2.0.0-rc.1']);
    assert.deepEqual(
      sortVerdicts(policy, tags).map((verdict) => verdict.tag),
      ['2.0.0-rc.1', '1.10.0', '1.9.0', 'latest'],
    );
  });
});
