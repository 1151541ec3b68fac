import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyPlan } from '../../src/edit/apply-plan.ts';
import type { Plan } from '../../src/edit/plan.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import { testPolicy, testSelection } from '../make-policy.ts';

const digest = `sha256:${'0d'.repeat(32)}`;
const marker = (part: string) => ` # {"$imagepolicy": "shop:web${part}"}`;
const quotes = fc.constantFrom('', "'", '"');
const oldVersion = fc.constantFrom('1.0.0', '1.2.3-rc.1', 'latest', '0.9.10', 'v1.4.0');
const newVersion = fc.constantFrom('1.5.0', 'v2.0.0', '3.0.0', '10.20.30');

/** One value that carries an image, and its line without indentation. */
const carrier = fc.oneof(
  fc
    .tuple(quotes, oldVersion)
    .map(([quote, version]) => `image: ${quote}ghcr.io/acme/web:${version}${quote}${marker('')}`),
  fc.tuple(quotes, oldVersion).map(([quote, version]) => `tag:   ${quote}${version}${quote}${marker(':tag')}`),
  fc
    .tuple(quotes, oldVersion)
    .map(([quote, version]) => `image: {repository: x, tag: ${quote}${version}${quote}}${marker(':tag')}`),
  fc
    .tuple(quotes, oldVersion)
    .map(([quote, version]) => `ref: &a1 ${quote}ghcr.io/acme/web:${version}@${digest}${quote}${marker('')}`),
  oldVersion.map((version) => `list: [ ghcr.io/acme/web:${version} ]\t${marker('').trim()} and more`),
);
/** Lines that must come through untouched; each stands alone at any indentation. */
const bystander = fc.constantFrom(
  'a: 1', 'b:   "x # y"  ', "c: 'it''s'", 'd: [1,2 , 3]', 'e: {f: g,h: i}', '# a comment\twith a tab', '#', '', '   ', 'k: 0777', 'l: ~',
  'm: !!str 12', 'n: !Custom {x: 1}', 'o: ünï ☃ 😀', 'q: "\\u0041\\t"', '? complex', 'r: &anchor v', 's: >-\n    folded\n      more', 't: |2\n      x\n    y',
  'image: nginx:1.0', 'dup: 1', 'dup: 2', 'u: 2024-01-02', 'plain: some words # not a marker',
); // biome-ignore format: a table

const block = fc
  .tuple(fc.array(bystander, { maxLength: 5 }), carrier, fc.array(bystander, { maxLength: 5 }))
  .map(([before, line, after]) => [...before, line, ...after]);

/** A document: a map, a sequence of maps, or a map nested deeper, at any indentation. */
const document = fc
  .tuple(
    fc.array(block, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('map', 'sequence', 'nested'),
    fc.integer({ min: 1, max: 4 }),
  )
  .map(([blocks, shape, width]) => {
    const indent = ' '.repeat(width);
    const shift = (lines: readonly string[], by: string) =>
      lines.map((line) => (line.trim() === '' ? line : by + line.replaceAll('\n', `\n${by}`)));
    if (shape === 'map') return blocks.flat().join('\n');
    if (shape === 'nested') return `top:\n${shift(blocks.flat(), indent).join('\n')}`;
    return blocks.map((lines) => `-${indent.slice(1)} z: 0\n${shift(lines, `${indent} `).join('\n')}`).join('\n');
  });

const file = fc
  .tuple(
    fc.array(document, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
    fc.constantFrom('', '---\n', '# head\n---\n'),
  )
  .map(
    ([documents, newline, mark, head]) =>
      `${mark ? '\ufeff' : ''}${(head + documents.join('\n---\n')).replaceAll('\n', newline)}${newline}`,
  );

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

/** What the plan says, done the slow and obvious way. */
function splice(text: string, plan: Plan): string {
  const bytes = Buffer.from(text);
  const ordered = [...plan.edits].sort((a, b) => b.start - a.start);
  return ordered
    .reduce(
      (all, edit) => Buffer.concat([all.subarray(0, edit.start), Buffer.from(edit.newText), all.subarray(edit.end)]),
      bytes,
    )
    .toString();
}

describe('edits of generated documents', () => {
  it('touch nothing but the planned ranges, apply once, in any order, and leave nothing to plan', () => {
    let edited = 0;
    let refused = 0;
    fc.assert(
      fc.property(file, newVersion, (text, tag) => {
        const files = new Map([['a.yaml', encode(text)]]);
        const policies = [testPolicy({ allowDowngrade: true })];
        const selections = [testSelection({ tag, digest })];
        const plan = planEdits(files, policies, selections);
        const applied = applyPlan(files, plan);
        const after = applied.files.get('a.yaml');
        const unreadable = plan.problems.some((problem) => problem.code === 'FileUnreadable');
        if (after === undefined) {
          assert.ok(unreadable || plan.edits.length === 0, `refused: ${JSON.stringify(applied.problems)}`);
          refused += unreadable ? 1 : 0;
          return;
        }
        edited += 1;
        assert.equal(decode(after), splice(text, plan));
        for (const edit of plan.edits)
          assert.equal(Buffer.from(text).subarray(edit.start, edit.end).toString(), edit.oldText);
        const shuffled = { ...plan, edits: [...plan.edits].reverse() };
        assert.equal(decode(applyPlan(files, shuffled).files.get('a.yaml')), decode(after));
        const changed = new Map([['a.yaml', after]]);
        assert.equal(applyPlan(changed, plan).files.size, 0);
        assert.deepEqual(applyPlan(changed, plan).problems, []);
        assert.deepEqual(planEdits(changed, policies, selections).edits, []);
      }),
      { numRuns: 10_000 },
    );
    assert.ok(edited > 8000, `${edited} edited, ${refused} not valid YAML`);
  });
});
