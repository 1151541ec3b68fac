import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { applyPlan } from '../../src/edit/apply-plan.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { readPolicies } from '../../src/policy/read-policies.ts';
import { selectTag } from '../../src/select/select-tag.ts';
import type { Selection } from '../../src/select/selection.ts';

/**
 * One folder for each case: before/ with policies and manifests, after/ with the files that change, and case.json:
 * `tags` by image, each with its digest, and `problems` as `Code file:line`.
 */
interface GoldenCase {
  tags: Record<string, Record<string, string>>;
  problems: string[];
}

const root = new URL('../fixtures/golden/', import.meta.url).pathname;

function readFolder(folder: string): Map<string, Uint8Array> {
  if (!existsSync(folder)) return new Map();
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.sort().map((file) => [file.slice(folder.length + 1), readFileSync(file)]));
}

/** What a pass selects: for every different version that the targets could have, by asking with each tag there is. */
function selectAll(policies: readonly Policy[], tags: GoldenCase['tags']): Selection[] {
  return policies.map((policy) => {
    const digests = Object.entries(tags[policy.image] ?? {});
    const facts = new Map(digests.map(([tag, digest]) => [tag, { digest }]));
    return selectTag(policy, facts.keys(), undefined, { facts });
  });
}

describe('golden edits', () => {
  for (const name of readdirSync(root)) {
    it(name, () => {
      const folder = join(root, name);
      const expected: GoldenCase = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
      const files = readFolder(join(folder, 'before'));
      const read = [...files]
        .filter(([file]) => file.endsWith('policy.yaml'))
        .map(([file, bytes]) => readPolicies(new TextDecoder().decode(bytes), file));
      const policies = read.flatMap((found) => found.policies);
      assert.deepEqual(
        read.flatMap((found) => found.problems),
        [],
      );
      const plan = planEdits(files, policies, selectAll(policies, expected.tags));
      const applied = applyPlan(files, plan);
      const show = (map: ReadonlyMap<string, Uint8Array>) =>
        Object.fromEntries([...map].map(([file, bytes]) => [file, Buffer.from(bytes).toString('utf8')]));
      assert.deepEqual(show(applied.files), show(readFolder(join(folder, 'after'))));
      const problems = [...plan.problems, ...applied.problems].map(
        ({ code, place }) => `${code} ${place?.file}:${place?.line}`,
      );
      assert.deepEqual(problems.sort(), expected.problems);
    });
  }
});
