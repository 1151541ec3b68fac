import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Judgement, judgeApplier } from '../../src/reconcile/judge-applier.ts';
import { readApplication } from '../../src/reconcile/read-application.ts';
import { readHelmRelease, readKustomization } from '../../src/reconcile/read-flux.ts';
import { application, appSource, commitOf, helmRelease, kustomization, ready } from './reconciler-scene.ts';

const [before, ours, later] = [commitOf('a'), commitOf('b'), commitOf('c')];
const lineage = { commit: ours, descendants: new Set([ours, later]) };
const at = (commit: string) => `main@sha1:${commit}`;
const show = (judgement: Judgement): string => {
  if (judgement.kind === 'pending') return `pending ${judgement.said}`.trim();
  const where = judgement.commit === ours ? 'ours' : judgement.commit === later ? 'later' : judgement.commit;
  return judgement.kind === 'failed' ? `failed ${where} ${judgement.message}` : `${judgement.kind} ${where}`;
};
/** What no schema keeps from standing there. */
const nonsense: readonly unknown[] = [null, 7, true, '', 'x', [], [[]], {}, { conditions: { Ready: 1 } }];

describe('judgeApplier, a Kustomization', () => {
  const rows: [string, object, string][] = [
    ['nothing yet', {}, 'pending it says nothing'],
    [
      'the commit before',
      { lastAppliedRevision: at(before), conditions: ready('True', 'ReconciliationSucceeded') },
      'pending ReconciliationSucceeded',
    ],
    ['applied', { lastAppliedRevision: at(ours), lastAttemptedRevision: at(ours) }, 'applied ours'],
    ['applied, in the old form', { lastAppliedRevision: `main/${ours}` }, 'applied ours'],
    ['applied, of a branch with slashes', { lastAppliedRevision: `release/1/x/${ours}` }, 'applied ours'],
    ['applied, by the whole name of a branch', { lastAppliedRevision: `refs/heads/main@sha1:${ours}` }, 'applied ours'],
    ['applied, without a branch', { lastAppliedRevision: `sha1:${ours}` }, 'applied ours'],
    ['a later one is applied', { lastAppliedRevision: at(later) }, 'superseded later'],
    [
      'at work',
      {
        lastAppliedRevision: at(before),
        lastAttemptedRevision: at(ours),
        conditions: ready('Unknown', 'Progressing', 'Building'),
      },
      'pending Progressing: Building',
    ],
    [
      'failed',
      {
        lastAppliedRevision: at(before),
        lastAttemptedRevision: at(ours),
        conditions: ready('False', 'BuildFailed', 'no such file'),
      },
      'failed ours BuildFailed: no such file',
    ],
    [
      'unhealthy',
      { lastAttemptedRevision: at(ours), conditions: ready('False', 'HealthCheckFailed', 'timeout') },
      'failed ours HealthCheckFailed: timeout',
    ],
    [
      'a later one failed',
      {
        lastAppliedRevision: at(before),
        lastAttemptedRevision: at(later),
        conditions: ready('False', 'BuildFailed', 'x'),
      },
      'failed later BuildFailed: x',
    ],
    [
      'applied before a later one failed',
      {
        lastAppliedRevision: at(ours),
        lastAttemptedRevision: at(later),
        conditions: ready('False', 'BuildFailed', 'x'),
      },
      'applied ours',
    ],
    [
      'the one before failed',
      { lastAttemptedRevision: at(before), conditions: ready('False', 'BuildFailed', 'x') },
      'pending BuildFailed: x',
    ],
    [
      'waits for another',
      { lastAttemptedRevision: at(ours), conditions: ready('False', 'DependencyNotReady', 'infra') },
      'pending DependencyNotReady: infra',
    ],
    [
      'begins anew',
      { lastAttemptedRevision: at(ours), conditions: ready('False', 'HealthCheckCanceled', 'new') },
      'pending HealthCheckCanceled: new',
    ],
    ['the beginning of an id is none', { lastAppliedRevision: at(ours.slice(0, 12)) }, 'pending it says nothing'],
    ['an id in capitals is none', { lastAppliedRevision: at(ours.toUpperCase()) }, 'pending it says nothing'],
    ['a revision that is a list', { lastAppliedRevision: [at(ours)] }, 'pending it says nothing'],
    ['an endless revision', { lastAppliedRevision: `${'x'.repeat(1e6)}@sha1:${ours}` }, 'pending it says nothing'],
    [
      'conditions that are none',
      { lastAttemptedRevision: at(ours), conditions: [null, 7, 'Ready', { type: 'Ready' }] },
      'pending Ready is ',
    ],
    [
      'a condition of maps',
      { lastAttemptedRevision: at(ours), conditions: [{ type: 'Ready', status: 'False', reason: {}, message: [] }] },
      'failed ours Ready is False',
    ],
    [
      'a message with an escape',
      { lastAttemptedRevision: at(ours), conditions: ready('False', 'BuildFailed', 'a\u001b[2Jb\n') },
      'failed ours BuildFailed: a\\u001b[2Jb\\u000a',
    ],
  ];
  for (const [name, status, wanted] of rows)
    it(name, () => {
      const object = readKustomization(kustomization({}, status), { namespace: 'a', name: 'b' });
      assert.equal(show(judgeApplier({ object, slots: [] }, lineage)), wanted.trim());
    });

  it('a message is never long', () => {
    const conditions = ready('False', 'BuildFailed', 'x'.repeat(1e6));
    const object = readKustomization(kustomization({}, { lastAttemptedRevision: at(ours), conditions }), {
      namespace: 'a',
      name: 'b',
    });
    assert.ok(show(judgeApplier({ object, slots: [] }, lineage)).length < 700);
  });
});

describe('judgeApplier, a HelmRelease', () => {
  const chart = (commit: string) => `1.0.0+${commit.slice(0, 12)}`;
  const done = ready('True', 'UpgradeSucceeded');
  const rows: [string, object, string][] = [
    [
      'done',
      { lastAttemptedRevision: chart(ours), conditions: done, history: [{ chartVersion: chart(ours) }] },
      'applied ours',
    ],
    ['done, with a counter', { lastAttemptedRevision: `${chart(ours)}.3`, conditions: done }, 'applied ours'],
    ['done, without a history', { lastAttemptedRevision: chart(ours), conditions: done }, 'applied ours'],
    ['a later one', { lastAttemptedRevision: chart(later), conditions: done }, 'superseded later'],
    ['the one before', { lastAttemptedRevision: chart(before), conditions: done }, 'pending UpgradeSucceeded'],
    [
      'at work, and says still that all is well',
      { lastAttemptedRevision: chart(ours), conditions: [...done, { type: 'Reconciling', status: 'True' }] },
      'pending UpgradeSucceeded',
    ],
    [
      'released is the one before',
      { lastAttemptedRevision: chart(ours), conditions: done, history: [{ chartVersion: chart(before) }] },
      'pending UpgradeSucceeded',
    ],
    [
      'failed',
      { lastAttemptedRevision: chart(ours), conditions: ready('False', 'UpgradeFailed', 'timeout') },
      'failed ours UpgradeFailed: timeout',
    ],
    [
      'rolled back',
      { lastAttemptedRevision: chart(ours), conditions: ready('False', 'RollbackSucceeded', 'x') },
      'failed ours RollbackSucceeded: x',
    ],
    [
      'its chart is not there',
      { lastAttemptedRevision: chart(ours), conditions: ready('False', 'SourceNotReady', 'x') },
      'pending SourceNotReady: x',
    ],
    [
      'a version that tells no commit',
      { lastAttemptedRevision: '1.0.0', conditions: done },
      'pending UpgradeSucceeded',
    ],
    ['the beginning of nothing', { lastAttemptedRevision: '1.0.0+', conditions: done }, 'pending UpgradeSucceeded'],
    [
      'too short a beginning',
      { lastAttemptedRevision: `1.0.0+${ours.slice(0, 11)}`, conditions: done },
      'pending UpgradeSucceeded',
    ],
  ];
  for (const [name, status, wanted] of rows)
    it(name, () => {
      const object = readHelmRelease(helmRelease({}, status), { namespace: 'a', name: 'b' });
      assert.equal(show(judgeApplier({ object, slots: [] }, lineage)), wanted);
    });
});

describe('judgeApplier, an Application', () => {
  const sync = (status: string, revision?: string, more: object = {}) => ({ sync: { status, revision }, ...more });
  const op = (phase: string, revision: string, more: object = {}) => ({
    operationState: { phase, message: 'm', syncResult: { revision }, ...more },
  });
  const rows: [string, object, string][] = [
    ['nothing yet', {}, 'pending it says nothing'],
    ['compared with the one before', sync('Synced', before), 'pending Synced'],
    ['nothing had to be done', sync('Synced', ours), 'applied ours'],
    ['a later one', sync('Synced', later), 'superseded later'],
    ['differs', sync('OutOfSync', ours, { health: { status: 'Healthy' } }), 'pending OutOfSync, Healthy'],
    [
      'differs, the last sync is of the one before',
      sync('OutOfSync', ours, op('Succeeded', before)),
      'pending OutOfSync, sync Succeeded, m',
    ],
    ['syncing', sync('OutOfSync', ours, op('Running', ours)), 'pending OutOfSync, sync Running, m'],
    ['in order, but a hook still runs', sync('Synced', ours, op('Running', ours)), 'pending Synced, sync Running, m'],
    ['synced', sync('Synced', ours, op('Succeeded', ours)), 'applied ours'],
    ['synced, and differs by what is never pruned', sync('OutOfSync', ours, op('Succeeded', ours)), 'applied ours'],
    ['failed', sync('OutOfSync', ours, op('Failed', ours)), 'failed ours m'],
    [
      'failed without a word',
      sync('OutOfSync', ours, op('Error', ours, { message: undefined })),
      'failed ours sync Error',
    ],
    [
      'failed before there was a result',
      sync('OutOfSync', ours, {
        operationState: { phase: 'Error', message: 'm', operation: { sync: { revision: ours } } },
      }),
      'failed ours m',
    ],
    ['a later one failed', sync('OutOfSync', later, op('Failed', later)), 'failed later m'],
    ['the one before failed', sync('OutOfSync', ours, op('Failed', before)), 'pending OutOfSync, sync Failed, m'],
    [
      'some resources only',
      sync('OutOfSync', ours, op('Succeeded', ours, { operation: { sync: { resources: [{ name: 'web' }] } } })),
      'pending OutOfSync, sync Succeeded, m',
    ],
    [
      'some resources, and all are in order',
      sync('Synced', ours, op('Succeeded', ours, { operation: { sync: { resources: [{ name: 'web' }] } } })),
      'applied ours',
    ],
    [
      'for show',
      sync('OutOfSync', ours, op('Succeeded', ours, { operation: { sync: { dryRun: true } } })),
      'pending OutOfSync, sync Succeeded, m',
    ],
    [
      'manifests that cannot be made',
      sync('Unknown', ours, { conditions: [{ type: 'ComparisonError', message: 'helm template' }] }),
      'failed ours ComparisonError: helm template',
    ],
    [
      'the same, of no commit',
      sync('Unknown', undefined, { conditions: [{ type: 'ComparisonError', message: 'no' }] }),
      'pending Unknown, ComparisonError: no',
    ],
    [
      'a warning',
      sync('OutOfSync', ours, { conditions: [{ type: 'OrphanedResourceWarning', message: 'no' }] }),
      'pending OutOfSync',
    ],
    ['a revision of a chart', sync('Synced', '1.4.2'), 'pending Synced'],
    ['a revision that is a map', { sync: { status: 'Synced', revision: { a: ours } } }, 'pending Synced'],
    ['a phase that is a list', sync('OutOfSync', ours, op([] as unknown as string, ours)), 'pending OutOfSync'],
  ];
  for (const [name, status, wanted] of rows)
    it(name, () => {
      const object = readApplication(application({ source: appSource() }, status), { namespace: 'a', name: 'b' });
      assert.equal(show(judgeApplier({ object, slots: [0] }, lineage)), wanted);
    });

  it('of several sources, by the place of ours', () => {
    const sources = [{ repoURL: 'https://charts.example', chart: 'web', targetRevision: '1' }, appSource()];
    const status = {
      sync: { status: 'Synced', revision: before, revisions: ['1.0.0', ours] },
      operationState: { phase: 'Succeeded', syncResult: { revision: '', revisions: ['1.0.0', before] } },
    };
    const object = readApplication(application({ sources }, status), { namespace: 'a', name: 'b' });
    assert.equal(show(judgeApplier({ object, slots: [1] }, lineage)), 'applied ours');
    assert.equal(show(judgeApplier({ object, slots: [0] }, lineage)), 'pending Synced, sync Succeeded');
  });
});

describe('judgeApplier, of nonsense', () => {
  const readers = { readKustomization, readHelmRelease, readApplication };
  for (const [name, read] of Object.entries(readers))
    for (const value of nonsense)
      it(`${name} takes ${JSON.stringify(value)} for nothing`, () => {
        const place = { namespace: 'a', name: 'b' };
        for (const object of [
          value,
          { spec: value, status: value },
          { status: { sync: value, operationState: value, conditions: value, history: value } },
        ])
          assert.equal(judgeApplier({ object: read(object, place), slots: [0] }, lineage).kind, 'pending');
      });
});
