import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findLeaderElection } from '../../src/config/kubernetes-schema.ts';
import { parseConfig } from '../../src/config/load-config.ts';

const usual = { leaseName: 'tallyman', leaseDurationSeconds: 15, renewDeadlineSeconds: 10, retryPeriodSeconds: 2 };

function electionOf(text: string) {
  const result = parseConfig(text, 'c.yaml');
  assert.ok('config' in result, JSON.stringify(result));
  const { kubernetes, redis } = result.config;
  assert.ok(typeof kubernetes === 'object');
  return findLeaderElection(kubernetes, { sharesWork: redis !== undefined });
}

describe('kubernetes.leaderElection in the configuration', () => {
  const rows: Record<string, readonly [string, object | undefined]> = {
    'is on': ['kubernetes: {}', usual],
    'is off where it is said': ['kubernetes: { leaderElection: off }', undefined],
    'is off where YAML takes that for false': ['kubernetes: { leaderElection: false }', undefined],
    'is off where workers share the work': ['kubernetes: {}\nredis: { url: "redis://a" }', undefined],
    'is on there if asked for': ['kubernetes: { leaderElection: {} }\nredis: { url: "redis://a" }', usual],
    'takes other times': [
      'kubernetes: { leaderElection: { leaseName: shop, leaseDurationSeconds: 60, retryPeriodSeconds: 0.5 } }',
      { ...usual, leaseName: 'shop', leaseDurationSeconds: 60, retryPeriodSeconds: 0.5 },
    ],
  };
  for (const [name, [text, wanted]] of Object.entries(rows)) it(name, () => assert.deepEqual(electionOf(text), wanted));

  const refused: Record<string, readonly [string, RegExp]> = {
    'a Lease that ends before its holder stops': ['{ leaseDurationSeconds: 10 }', /more than renewDeadlineSeconds/],
    'a deadline before the next try': ['{ retryPeriodSeconds: 9 }', /more than 1\.2 times retryPeriodSeconds/],
    'parts of seconds, which a Lease does not have': ['{ leaseDurationSeconds: 15.5 }', /leaseDurationSeconds/],
    'no time': ['{ retryPeriodSeconds: 0 }', /retryPeriodSeconds/],
    'a name that is none': ['{ leaseName: "Shop/x" }', /leaseName/],
    'another word': ['on', /off, or a map/],
    'a key that is not known': ['{ leaseDuration: 15 }', /leaseDuration/],
  };
  for (const [name, [text, message]] of Object.entries(refused))
    it(`does not take ${name}`, () => {
      const result = parseConfig(`kubernetes: { leaderElection: ${text} }`, 'c.yaml');
      assert.ok('problems' in result);
      assert.match(JSON.stringify(result.problems), message);
    });
});
