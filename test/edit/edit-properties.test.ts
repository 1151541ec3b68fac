import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAllDocuments, visit } from 'yaml';
import { applyPlan } from '../../src/edit/apply-plan.ts';
import type { Plan } from '../../src/edit/plan.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import { testPolicy, testSelection } from '../make-policy.ts';
import { markedFile, structuredFile } from './generated-files.ts';

const digest = `sha256:${'0d'.repeat(32)}`;
const newVersion = fc.constantFrom('1.5.0', 'v2.0.0', '3.0.0', '10.20.30', '1.10');

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

/** Every scalar of the text, keys too, in order, as the YAML library reads them. */
function readScalars(text: string): { value: unknown; isBlock: boolean }[] {
  const values: { value: unknown; isBlock: boolean }[] = [];
  for (const document of parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent' }))
    visit(document, {
      Scalar: (_, { value, type }) => void values.push({ value, isBlock: type === 'BLOCK_LITERAL' }),
    });
  return values;
}

/** Only planned values differ, and block scalars around them. */
function checkScalars(before: string, after: string, plan: Plan): void {
  const [old, fresh] = [readScalars(before), readScalars(after)];
  assert.equal(fresh.length, old.length);
  const different = fresh.filter(({ value }, index) => !Object.is(value, old[index]?.value));
  assert.ok(different.length > 0 && different.length <= plan.edits.length);
  for (const { value, isBlock } of different) {
    const planned = plan.edits.some((edit) => (isBlock ? String(value).includes(edit.newText) : value === edit.value));
    assert.ok(planned, `something became ${JSON.stringify(value)}`);
  }
}

function check(text: string, tag: string): 'edited' | 'refused' {
  const files = new Map([['a.yaml', encode(text)]]);
  const policies = [testPolicy({ allowDowngrade: true }), testPolicy({ name: 'nginx', image: 'nginx' })];
  const selections = [testSelection({ tag, digest }), testSelection({ policy: 'shop/nginx', tag: '9.9.9' })];
  const plan = planEdits(files, policies, selections);
  const applied = applyPlan(files, plan);
  const after = applied.files.get('a.yaml');
  const unreadable = plan.problems.some((problem) => problem.code === 'FileUnreadable');
  if (after === undefined) {
    const isValid = parseAllDocuments(text, { uniqueKeys: false }).every((document) => document.errors.length === 0);
    assert.ok(unreadable || !isValid, `refused: ${JSON.stringify(applied.problems)}`);
    return 'refused';
  }
  assert.equal(decode(after), splice(text, plan));
  checkScalars(text, decode(after), plan);
  const starts = plan.edits.map((edit) => edit.start);
  assert.deepEqual(
    starts,
    [...new Set(starts)].sort((a, b) => a - b),
    'in the order of the text, each place once',
  );
  for (const edit of plan.edits)
    assert.equal(Buffer.from(text).subarray(edit.start, edit.end).toString(), edit.oldText);
  const shuffled = { ...plan, edits: [...plan.edits].reverse() };
  assert.equal(decode(applyPlan(files, shuffled).files.get('a.yaml')), decode(after));
  const changed = new Map([['a.yaml', after]]);
  assert.equal(applyPlan(changed, plan).files.size, 0);
  assert.deepEqual(applyPlan(changed, plan).problems, []);
  assert.deepEqual(planEdits(changed, policies, selections).edits, []);
  return 'edited';
}

describe('edits of generated documents', () => {
  for (const [name, file] of Object.entries({ marked: markedFile, structured: structuredFile })) {
    it(`touch nothing but the planned ranges, apply once, in any order, and leave nothing to plan: ${name}`, () => {
      const counts = { edited: 0, refused: 0 };
      fc.assert(
        fc.property(file, newVersion, (text, tag) => {
          counts[check(text, tag)] += 1;
        }),
        { numRuns: 5000 },
      );
      assert.ok(counts.edited > 4000, `${counts.edited} edited, ${counts.refused} not valid YAML`);
    });
  }
});
