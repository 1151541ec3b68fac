import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeUnusable } from '../../src/pipeline/policy-problems.ts';
import { testPolicy } from '../make-policy.ts';

describe('describeUnusable', () => {
  const rows: Record<string, [string, string | undefined]> = {
    'Docker Hub': ['acme/web', undefined],
    'Container Registry': ['gcr.io/acme/web', undefined],
    'its regions': ['eu.gcr.io/acme/web', undefined],
    'Artifact Registry': ['europe-west1-docker.pkg.dev/acme/apps/web', undefined],
    GitHub: ['ghcr.io/acme/web', 'PolicyUnsupported'],
    'a host that only looks alike': ['notgcr.io/acme/web', 'PolicyUnsupported'],
    'another one': ['gcr.io.example/acme/web', 'PolicyUnsupported'],
  };
  for (const [name, [image, code]] of Object.entries(rows)) {
    it(`${code === undefined ? 'leaves open' : 'reports'} whether ${name} tells push times`, () => {
      for (const wants of [{ minimumAgeMs: 1 }, { select: { kind: 'newest' } }] as const)
        assert.equal(describeUnusable(testPolicy({ image, ...wants }), undefined)?.code, code);
      assert.equal(describeUnusable(testPolicy({ image }), undefined), undefined);
    });
  }

  it('has nothing against platforms', () =>
    assert.equal(describeUnusable(testPolicy({ platforms: ['linux/arm64'] }), undefined), undefined));

  it('names a host that is not allowed, before anything else', () =>
    assert.equal(describeUnusable(testPolicy({ minimumAgeMs: 1 }), ['docker.io'])?.code, 'PolicyInvalid'));
});
