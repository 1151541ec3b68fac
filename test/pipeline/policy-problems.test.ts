import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeForbidden, needsPushTimes } from '../../src/pipeline/policy-problems.ts';
import { testPolicy } from '../make-policy.ts';

describe('needsPushTimes', () => {
  it('is true where a policy is about ages or the newest, and for no other', () => {
    assert.ok(needsPushTimes(testPolicy({ minimumAgeMs: 1 })));
    assert.ok(needsPushTimes(testPolicy({ select: { kind: 'newest' } })));
    assert.ok(!needsPushTimes(testPolicy({ platforms: ['linux/arm64'] })));
  });
});

describe('describeForbidden', () => {
  it('names a host that is not allowed', () =>
    assert.equal(describeForbidden(testPolicy(), ['docker.io'])?.code, 'PolicyInvalid'));

  it('has nothing against others, and none where no host is named', () => {
    assert.equal(describeForbidden(testPolicy(), ['ghcr.io']), undefined);
    assert.equal(describeForbidden(testPolicy(), undefined), undefined);
  });
});
