import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProblem } from '../../src/error/problem.ts';
import type { WholeReport } from '../../src/pipeline/commit-and-propose.ts';
import { describeStatus } from '../../src/pipeline/describe-status.ts';
import type { Selection } from '../../src/select/selection.ts';
import { testPolicy } from '../make-policy.ts';

const policy = testPolicy();
const selection = (parts: Partial<Selection> = {}): Selection => ({
  kind: 'current',
  policy: policy.key,
  current: '1.4.2',
  tag: '1.4.2',
  digest: undefined,
  reason: 'nothing newer is there',
  wakeMs: undefined,
  tags: [],
  ...parts,
});
const update = { policy: policy.key, image: policy.image, from: '1.4.2', to: '1.5.0' };
const commit = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
type Report = Parameters<typeof describeStatus>[0];
const report = (parts: Partial<WholeReport> = {}): Report => ({
  policies: [policy],
  selections: [selection()],
  commits: [],
  proposals: [],
  problems: [],
  snapshot: { commit: 'a', branch: 'main', files: [] },
  ...parts,
});
const about = { policy: policy.key };

describe('describeStatus', () => {
  interface Row {
    readonly report: Report;
    readonly state: string;
    readonly conditions: readonly string[];
    readonly current?: string;
    readonly latest?: string;
  }
  const rows: Record<string, Row> = {
    'nothing newer': { report: report(), state: 'Current', conditions: ['Ready True Current'], latest: '1.4.2' },
    'a commit of this pass': {
      report: report({
        selections: [selection({ kind: 'update', tag: '1.5.0' })],
        commits: [{ commit, group: undefined, updates: [update], edits: [] }],
      }),
      state: 'Updated',
      conditions: ['Ready True Updated'],
      current: '1.5.0',
      latest: '1.5.0',
    },
    'a version that waits': {
      report: report({ selections: [selection(), selection({ kind: 'waiting', waits: '1.5.0', current: '1.4.0' })] }),
      state: 'Waiting',
      conditions: ['Ready True Waiting'],
      current: '1.4.0, 1.4.2',
      latest: '1.5.0',
    },
    'a hold': {
      report: report({ problems: [createProblem('ImageHeld', 'a person took "1.5.0" away', about)] }),
      state: 'Held',
      conditions: ['Ready True Held'],
    },
    'a pull request that waits': {
      report: report({ proposals: [{ branch: 'tallyman/main/shop', state: 'waiting', url: 'u', updates: [update] }] }),
      state: 'Proposed',
      conditions: ['Ready True Proposed'],
    },
    'what a person must put right': {
      report: report({ problems: [createProblem('RegistryDenied', 'no', about)] }),
      state: 'Failed',
      conditions: ['Ready False RegistryDenied', 'Stalled True RegistryDenied'],
    },
    'what may go away by itself': {
      report: report({ problems: [createProblem('RegistryUnavailable', 'no', about)] }),
      state: 'Failed',
      conditions: ['Ready False RegistryUnavailable', 'Reconciling True RegistryUnavailable'],
    },
    'no tag that is wanted': {
      report: report({ selections: [selection({ kind: 'none', tag: undefined, reason: 'no tag is a candidate' })] }),
      state: 'Current',
      conditions: ['Ready False NoCandidate'],
    },
    'a warning, and problems of others': {
      report: report({
        problems: [
          createProblem('TagMutated', 'moved', about),
          createProblem('RegistryDenied', 'no', { policy: 'a/b' }),
        ],
      }),
      state: 'Current',
      conditions: ['Ready True Current'],
    },
    'a policy that is left alone': {
      report: report({ policies: [{ ...policy, suspend: true }], selections: [] }),
      state: 'Suspended',
      conditions: ['Ready True Suspended'],
    },
  };
  for (const [name, row] of Object.entries(rows))
    it(name, () => {
      const [standing] = describeStatus(row.report);
      assert.equal(standing?.state, row.state);
      assert.deepEqual(
        standing?.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
        row.conditions,
      );
      if (row.current !== undefined) assert.equal(standing?.current, row.current);
      if (row.latest !== undefined) assert.equal(standing?.latest, row.latest);
    });

  it('speaks of an object that is no usable policy by the first thing that is wrong, once', () => {
    const object = { ...policy.object, name: 'broken' };
    const problems = [
      createProblem('PolicyPartial', 'a warning', { object }),
      createProblem('PolicyInvalid', 'spec.select is missing', { object, policy: 'shop/broken', remedy: 'Add it.' }),
      createProblem('PolicyInvalid', 'spec.image is missing', { object, policy: 'shop/broken' }),
      createProblem('EditRefused', 'no', { object: policy.object, policy: policy.key }),
    ];
    const [usable, broken, ...more] = describeStatus(report({ problems }));
    assert.deepEqual([usable?.object, broken?.object, more], [policy.object, object, []]);
    assert.deepEqual([broken?.state, broken?.reason], ['Failed', 'spec.select is missing']);
    assert.deepEqual(
      broken?.conditions.map(({ type, status, reason, message }) => `${type} ${status} ${reason} ${message}`),
      ['Ready False', 'Stalled True'].map((start) => `${start} PolicyInvalid spec.select is missing. Add it.`),
    );
  });

  it('names the commit as reconcilers do', () => {
    const commits = [{ commit, group: undefined, updates: [update], edits: [] }];
    const [standing] = describeStatus(report({ commits }));
    assert.deepEqual(standing?.lastCommit, { revision: `main@sha1:${commit}`, version: '1.5.0' });
  });
});
