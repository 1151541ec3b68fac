import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { readPolicies } from '../../src/policy/read-policies.ts';
import { selectTag } from '../../src/select/select-tag.ts';

interface PolicyCase {
  name: string;
  policy: Record<string, unknown>;
  filter: { pattern: string; extract: string } | null;
  tags: string[];
  expect: { tag?: string; error?: string; one_of?: string[] };
  class: 'parity' | 'quirk' | 'improve';
}

const cases: PolicyCase[] = JSON.parse(
  readFileSync(new URL('../fixtures/cases/tag-policy-flux.json', import.meta.url), 'utf8'),
);

/** The peer's two objects; its own default exclusion belongs to the scan of the repository, which these cases leave out. */
function toYaml({ policy, filter }: PolicyCase): string {
  const metadata = { name: 'web', namespace: 'flux-system' };
  const apiVersion = 'image.toolkit.fluxcd.io/v1';
  const repository = {
    apiVersion,
    kind: 'ImageRepository',
    metadata,
    spec: { image: 'ghcr.io/acme/web', exclusionList: [] },
  };
  const spec = { imageRepositoryRef: { name: 'web' }, policy, ...(filter !== null && { filterTags: filter }) };
  return [repository, { apiVersion, kind: 'ImagePolicy', metadata, spec }]
    .map((object) => stringify(object))
    .join('---\n');
}

const policyErrors = ['invalid_policy', 'invalid_filter'];

describe("Flux's tag policies", () => {
  for (const row of cases) {
    it(`${row.class} ${row.name}`, () => {
      const { policies, problems } = readPolicies(toYaml(row), 'flux.yaml');
      const [policy] = policies;
      const { tag, error, one_of: oneOf } = row.expect;
      if (error !== undefined && policyErrors.includes(error)) {
        assert.equal(policy, undefined);
        assert.ok(
          problems.some((problem) => problem.code === 'PolicyInvalid' && (problem.place?.line ?? 0) > 1),
          JSON.stringify(problems),
        );
        return;
      }
      assert.ok(policy, JSON.stringify(problems));
      const answers = [row.tags, [...row.tags].reverse(), [...row.tags].sort()].map((tags) => selectTag(policy, tags));
      const chosen = answers.map((answer) => answer.tag);
      assert.equal(new Set(chosen).size, 1, 'the order of the tags does not matter');
      if (oneOf !== undefined) assert.ok(oneOf.includes(chosen[0] ?? ''));
      else assert.equal(chosen[0], tag, JSON.stringify(answers[0]));
      if (error !== undefined) assert.equal(answers[0]?.kind, 'none');
    });
  }
});
