/** How long one decision takes over a very large repository of tags. */
import type { Policy } from '../../src/policy/policy.ts';
import { selectTag } from '../../src/select/select-tag.ts';
import { semverRule, testPolicy } from '../make-policy.ts';
import { type BenchResult, measureMs, type Row } from './figures.ts';

const tagCount = 100_000;
const iterations = 15;

const tags = {
  semver: Array.from(
    { length: tagCount },
    (_, index) => `v${index % 7}.${index % 101}.${index}${index % 3 === 0 ? `-rc.${index % 5}` : ''}`,
  ).sort(),
  numbers: Array.from(
    { length: tagCount },
    (_, index) => `main-${index.toString(16).padStart(7, '0')}-${20240101000000 + index * 7}`,
  ).sort(),
};

const policies: readonly (readonly [string, Partial<Policy>, readonly string[]])[] = [
  ['semver', { select: semverRule('>=1.0.0 <5.0.0') }, tags.semver],
  ["semver, Flux's grammar", { select: semverRule('>=1.0.0 <5.0.0', { grammar: 'flux' }) }, tags.semver],
  [
    'semver, include and extract',
    { select: semverRule('*'), include: ['^v\\d'], extract: { pattern: '^v(?<version>.+)$', template: '${version}' } },
    tags.semver,
  ],
  [
    'numerical, extract',
    {
      select: { kind: 'numerical', order: 'asc' },
      extract: { pattern: '^main-[0-9a-f]+-(?<version>\\d+)$', template: '${version}' },
    },
    tags.numbers,
  ],
  ['alphabetical', { select: { kind: 'alphabetical', order: 'asc' } }, tags.numbers],
];

/** Each kind of policy over 100,000 tags, every tag with its reason. */
export async function benchSelect(): Promise<BenchResult> {
  const rows: Row[] = [];
  for (const [name, parts, list] of policies) {
    const policy = testPolicy(parts);
    const current = list[0] ?? '';
    const samplesMs: number[] = [];
    for (let index = 0; index < iterations; index += 1) {
      samplesMs.push(await measureMs(async () => selectTag(policy, list, current)));
    }
    rows.push({ name, samplesMs, ...(name === 'semver' && { barMs: 100 }) });
  }
  return {
    title: `one decision over ${tagCount} tags`,
    notes: ["Flux's policy takes 130 ms for the same in Go."],
    rows,
  };
}
