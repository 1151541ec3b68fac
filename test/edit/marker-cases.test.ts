import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { applyPlan } from '../../src/edit/apply-plan.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import { findImageReference } from '../../src/image/reference.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Selection } from '../../src/select/selection.ts';
import { testPolicy, testSelection } from '../make-policy.ts';

interface CaseImage {
  namespace: string;
  policy: string;
  name: string;
  tag: string;
  digest: string;
}

interface MarkerCase {
  name: string;
  class: 'parity' | 'improve' | 'decision';
  files_before: Record<string, string>;
  files_after?: Record<string, string>;
  path: string;
  images: CaseImage[];
  note?: string;
}

const cases: MarkerCase[] = JSON.parse(
  readFileSync(new URL('../fixtures/cases/marker-edit-flux.json', import.meta.url), 'utf8'),
);

/** What our product does where the peer leaves room: the file afterwards, and the code of what is reported. */
const decisions: Record<string, { changes?: [string, string]; reports?: string }> = {
  'marker-with-extra-json-key': { changes: ['app:1.0.0', 'app:1.2.0'] },
  'marker-on-line-above': { reports: 'MarkerInvalid' },
  'marker-on-line-below': { reports: 'MarkerInvalid' },
  'flow-mapping': { changes: ['tag: 1.0.0', 'tag: 1.2.0'] },
  'flow-seq': { changes: ['app:1.0.0', 'app:1.2.0'] },
  'digest-pinned-old-ref': { reports: 'EditRefused' },
  'downgrade-is-applied': {},
  'block-scalar-value': { reports: 'MarkerInvalid' },
  'marker-inside-block-scalar': { changes: ['app:1.0.0', 'app:1.2.0'] },
  'key-comment-mapping': { reports: 'MarkerInvalid' },
  'json-style-yaml': { changes: ['app:1.0.0', 'app:1.2.0'] },
};

/** The setter alone, as the peer runs it: what was selected is written, downgrades included. */
function toPolicies(row: MarkerCase): { policies: Policy[]; selections: Selection[] } {
  const usable = row.images.filter((image) => findImageReference(image.name) !== undefined);
  const policies = usable.map((image) =>
    testPolicy({
      namespace: image.namespace,
      name: image.policy,
      image: image.name,
      markersOnly: true,
      allowDowngrade: row.class !== 'decision',
      pin: image.digest === '' ? 'keep' : 'digest',
      ...(row.path !== '' && { paths: { globs: [row.path], explicit: true } }),
    }),
  );
  const selections = usable.map((image, index) =>
    testSelection({ policy: policies[index]?.key ?? '', tag: image.tag, digest: image.digest || undefined }),
  );
  return { policies, selections };
}

describe('marker cases', () => {
  for (const row of cases) {
    it(`${row.class} ${row.name}`, () => {
      const { policies, selections } = toPolicies(row);
      const files = new Map(
        Object.entries(row.files_before).map(([file, text]) => [file, new TextEncoder().encode(text)]),
      );
      const plan = planEdits(files, policies, selections);
      const applied = applyPlan(files, plan);
      const text = (bytes: Uint8Array | undefined) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      const after = Object.fromEntries(
        [...files].map(([file, bytes]) => [file, text(applied.files.get(file) ?? bytes)]),
      );
      const problems = [...plan.problems, ...applied.problems];
      const decision = decisions[row.name];
      if (row.class !== 'decision') {
        assert.deepEqual(after, row.files_after, JSON.stringify(problems, null, 1));
      } else {
        assert.ok(decision, 'a decision is written down');
        const [[file, before] = ['', '']] = Object.entries(row.files_before);
        const [from, to] = decision.changes ?? ['', ''];
        assert.equal(after[file], before.replace(from, to), JSON.stringify(problems, null, 1));
        if (decision.reports !== undefined)
          assert.ok(
            problems.some((problem) => problem.code === decision.reports),
            JSON.stringify(problems),
          );
      }
      assert.equal(
        applyPlan(new Map([...files, ...applied.files]), plan).files.size,
        0,
        'applying twice changes nothing',
      );
      const again = planEdits(new Map([...files, ...applied.files]), policies, selections);
      assert.deepEqual(again.edits, [], 'planning again plans nothing');
    });
  }
});
