import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseImageIdentifier } from '../../src/policy/dialects/argocd-identifier.ts';
import { readPolicies } from '../../src/policy/read-policies.ts';
import { selectTag } from '../../src/select/select-tag.ts';

interface TagRow {
  readonly name: string;
  readonly strategy: string;
  readonly constraint: string;
  readonly allow: string;
  readonly ignore: readonly string[];
  readonly tags: readonly string[];
  readonly created?: Readonly<Record<string, number>>;
  readonly expect: string | null;
  readonly expectError?: boolean;
}

interface IdentifierRow {
  readonly identifier: string;
  readonly expect: Readonly<Record<string, string | null>>;
}

const readCases = <T>(name: string): T => JSON.parse(readFileSync(`test/fixtures/cases/${name}.json`, 'utf8'));
const tagRows = readCases<TagRow[]>('tag-policy-argocd');
const identifierRows = readCases<IdentifierRow[]>('image-identifier-argocd');

function formatApplication({ strategy, constraint, allow, ignore }: TagRow): string {
  const annotations = {
    'image-list': `web=ghcr.io/acme/web${constraint === '' ? '' : `:${constraint}`}`,
    'web.update-strategy': strategy,
    ...(allow !== '' && { 'web.allow-tags': allow }),
    ...(ignore.length > 0 && { 'web.ignore-tags': ignore.join(', ') }),
  };
  return [
    'apiVersion: argoproj.io/v1alpha1',
    'kind: Application',
    'metadata:',
    '  name: shop',
    '  annotations:',
    ...Object.entries(annotations).map(
      ([name, value]) => `    argocd-image-updater.argoproj.io/${name}: ${JSON.stringify(value)}`,
    ),
  ].join('\n');
}

describe('Argo CD Image Updater, which tag', () => {
  it('has all its rows', () => assert.ok(tagRows.length >= 50 && identifierRows.length >= 14));

  for (const row of tagRows) {
    it(row.name, () => {
      const { policies, problems } = readPolicies(formatApplication(row), 'app.yaml');
      if (row.expectError === true) {
        assert.deepEqual([policies.length, problems.map(({ code }) => code)], [0, ['PolicyInvalid']]);
        return;
      }
      const [policy] = policies;
      assert.ok(policy, JSON.stringify(problems));
      const facts = new Map(Object.entries(row.created ?? {}).map(([tag, seenMs]) => [tag, { seenMs }]));
      const wanted = row.expect ?? undefined;
      assert.equal(selectTag(policy, row.tags, undefined, { facts }).tag, wanted);
      assert.equal(selectTag(policy, [...row.tags].reverse(), undefined, { facts }).tag, wanted);
    });
  }
});

describe('Argo CD Image Updater, image identifiers', () => {
  for (const { identifier, expect } of identifierRows) {
    it(identifier, () => {
      const { tag, digest, ...rest } = parseImageIdentifier(identifier);
      assert.deepEqual({ ...rest, tag: tag ?? null, digest: digest ?? null }, expect);
    });
  }

  it('keeps an operator with "=" in the constraint, with and without an alias', () => {
    const parts = (text: string) => {
      const { alias, name, tag } = parseImageIdentifier(text);
      return [alias, name, tag];
    };
    assert.deepEqual(parts('acme/web:>=1.2'), ['', 'acme/web', '>=1.2']);
    assert.deepEqual(parts('acme/web:=1.2.0'), ['', 'acme/web', '=1.2.0']);
    assert.deepEqual(parts('web=acme/web:>=1.2 <2'), ['web', 'acme/web', '>=1.2 <2']);
    assert.deepEqual(parts('web = acme/web : !=1.2.0'.replace(' : ', ':')), ['web', 'acme/web', '!=1.2.0']);
  });

  for (const text of ['', 'web=', ':1.0', '@sha256:abc', 'ghcr.io/']) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseImageIdentifier(text), { name: 'TallymanError', code: 'PolicyInvalid' }));
  }
});
