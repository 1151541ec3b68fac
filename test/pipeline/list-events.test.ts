import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProblem } from '../../src/error/problem.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { EventRecorder, StatusEvent } from '../../src/pipeline/cluster-ports.ts';
import { commitAndPropose } from '../../src/pipeline/commit-and-propose.ts';
import { listDone, listFailure, listFound } from '../../src/pipeline/list-events.ts';
import { createPassJob } from '../../src/pipeline/pass-job.ts';
import type { PassContext } from '../../src/pipeline/run-pass.ts';
import { createEventObserver } from '../../src/pipeline/tell-events.ts';
import { testPolicy, testSelection } from '../make-policy.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { recordingLog } from './recording-log.ts';

const { signal } = new AbortController();
const web = testPolicy().object;
const fluxApi = testPolicy({
  key: 'flux-system/api',
  namespace: 'flux-system',
  name: 'api',
  object: { apiVersion: 'image.toolkit.fluxcd.io/v1', kind: 'ImagePolicy', namespace: 'flux-system', name: 'api' },
});
const source = {
  subject: 'https://github.com/acme/deploy.git main',
  formatCommitUrl: (commit: string) => `https://github.com/acme/deploy/commit/${commit}`,
};
const report = {
  policies: [testPolicy(), fluxApi],
  commits: [],
  proposals: [],
  selections: [],
  problems: [],
};
const update = { policy: 'shop/web', image: 'ghcr.io/acme/web', from: '1.4.2', to: '1.5.0' };
/** `Normal ImageUpdated ImagePolicy shop/web: Updated …` */
const show = ({ type, reason, about, note }: StatusEvent) =>
  `${type} ${reason} ${about ? `${about.kind} ${about.namespace}/${about.name}` : 'Tallyman'}: ${note}`;

describe('listDone', () => {
  it('says what was committed, with a link', () => {
    const commits = [
      { commit: '3f2a', group: undefined, edits: [], updates: [update, { ...update, policy: 'flux-system/api' }] },
    ];
    const events = listDone({ ...report, commits }, source);
    const rest = 'Updated ghcr.io/acme/web from 1.4.2 to 1.5.0: commit 3f2a https://github.com/acme/deploy/commit/3f2a';
    assert.deepEqual(events.map(show), [
      `Normal ImageUpdated ImagePolicy shop/web: ${rest}`,
      `Normal ImageUpdated ImagePolicy flux-system/api: ${rest}`,
    ]);
    assert.equal(events[1]?.about?.apiVersion, 'image.toolkit.fluxcd.io/v1');
  });

  it('names the Yaml repo where there is no link, and says where there was no version', () => {
    const commits = [{ commit: '3f2a', group: undefined, edits: [], updates: [{ ...update, from: undefined }] }];
    const [event] = listDone({ ...report, commits }, { ...source, formatCommitUrl: () => undefined });
    assert.equal(
      event?.note,
      'Updated ghcr.io/acme/web from no version to 1.5.0: commit 3f2a in https://github.com/acme/deploy.git main',
    );
  });

  it('says what was proposed now, and not what waits for a person since', () => {
    const about = { branch: 'tallyman/main/updates', url: 'https://github.com/acme/deploy/pull/7', updates: [update] };
    const proposals = [
      { ...about, state: 'opened' as const },
      { ...about, state: 'waiting' as const },
    ];
    assert.deepEqual(listDone({ ...report, proposals }, source).map(show), [
      'Normal ImageProposed ImagePolicy shop/web: Proposed ghcr.io/acme/web from 1.4.2 to 1.5.0: pull request https://github.com/acme/deploy/pull/7',
    ]);
  });
});

describe('listFound', () => {
  it('says which version waits, and until when', () => {
    const waiting = testSelection({
      kind: 'waiting',
      current: '1.4.2',
      reason: '1.5.0: younger than 24h',
      wakeMs: Date.UTC(2026, 0, 2, 3, 4),
    });
    const [event] = listFound({ ...report, selections: [waiting, testSelection()] }, 'deploy');
    assert.equal(
      event && show(event),
      'Normal ImageWaiting ImagePolicy shop/web: Waiting with 1.4.2: 1.5.0: younger than 24h, until 2026-01-02T03:04Z',
    );
    assert.equal(event?.repeats, false);
  });

  const place = { file: 'apps/web.yaml', line: 3, column: 1 };
  const flux = fluxApi.object;
  const rows: [string, Parameters<typeof createProblem>, string][] = [
    [
      'a problem of a policy',
      ['RegistryUnavailable', 'Cannot list', { policy: 'flux-system/api', remedy: 'Wait.' }],
      'Warning RegistryUnavailable ImagePolicy flux-system/api: flux-system/api: Cannot list. Wait. (deploy)',
    ],
    [
      'a problem in an object that is no usable policy',
      [
        'PolicyInvalid',
        'Cannot use it',
        { place, policy: 'x/y', object: { ...flux, kind: 'ImageRepository' }, remedy: 'Mend it.' },
      ],
      'Warning PolicyInvalid ImageRepository flux-system/api: apps/web.yaml:3:1: Cannot use it. Mend it. (deploy)',
    ],
    [
      'a problem of a policy of which no more is known',
      ['PolicyInvalid', 'Cannot use it', { policy: 'x/y', remedy: 'Mend it.' }],
      'Warning PolicyInvalid ImagePolicy x/y: x/y: Cannot use it. Mend it. (deploy)',
    ],
    [
      'a problem of no policy',
      ['FileUnreadable', 'Cannot read', { place, remedy: 'Mend it.' }],
      'Warning FileUnreadable Tallyman: apps/web.yaml:3:1: Cannot read. Mend it. (deploy)',
    ],
    [
      'a hold',
      ['ImageHeld', 'Cannot update', { policy: 'shop/web', remedy: 'Resume it.' }],
      'Normal ImageHeld ImagePolicy shop/web: shop/web: Cannot update. Resume it. (deploy)',
    ],
  ];
  for (const [name, problem, wanted] of rows)
    it(`tells ${name}`, () => {
      const events = listFound({ ...report, problems: [createProblem(...problem)] }, 'deploy');
      assert.deepEqual(events.map(show), [wanted]);
    });

  it('takes a problem whose numbers change for the same, and another hold for another', () => {
    const idOf = (code: 'RegistryUnavailable' | 'ImageHeld', message: string) =>
      listFound({ ...report, problems: [createProblem(code, message, { policy: 'shop/web' })] }, 'deploy')[0]?.id;
    assert.equal(idOf('RegistryUnavailable', 'left alone for 7 s'), idOf('RegistryUnavailable', 'left alone for 30 s'));
    assert.notEqual(idOf('ImageHeld', 'version "1.5.0"'), idOf('ImageHeld', 'version "1.6.0"'));
  });
});

describe('listFailure', () => {
  it('tells Tallyman itself where nothing was stopped', () => {
    const failure = createProblem('RepoUnavailable', 'Cannot fetch', { remedy: 'Wait.' });
    assert.deepEqual(listFailure(failure, 'deploy').map(show), [
      'Warning RepoUnavailable Tallyman: Cannot fetch. Wait. (deploy)',
    ]);
  });

  it('tells the policies whose updates were stopped', () => {
    const stops = [
      { policy: 'shop/web', object: web, from: '1.4.2', to: '1.5.0' },
      { policy: 'flux-system/api', object: fluxApi.object, from: undefined, to: '2.0.0' },
    ];
    const failure = createProblem('PushRejected', 'Cannot push', { remedy: 'Let it.', stops });
    assert.deepEqual(listFailure(failure, 'deploy').map(show), [
      'Warning PushRejected ImagePolicy shop/web: Not updated from 1.4.2 to 1.5.0: Cannot push. Let it. (deploy)',
      'Warning PushRejected ImagePolicy flux-system/api: Not updated from no version to 2.0.0: Cannot push. Let it. (deploy)',
    ]);
  });
});

describe('createEventObserver', () => {
  function recording() {
    const told: string[] = [];
    const recorder: EventRecorder = {
      record: (events) => void told.push(...events.map((event) => `record ${event.reason} ${event.about?.name}`)),
      keep: (from, events) =>
        void told.push([`keep ${from}:`, ...events.map((event) => `${event.reason} ${event.about?.name}`)].join(' ')),
    };
    return { told, observer: createEventObserver(recorder, [{ ...source, subject: 'deploy' }]) };
  }

  it('tells what a pass did and found, and that nothing fails', async () => {
    const { told, observer } = recording();
    const registry = fakeRegistry({ listTags: async () => listingOf('1.0.0', '1.1.0') });
    const done = await commitAndPropose(passOver(fakeYamlRepo(repoFiles('select: {semver: "*"}')), registry), {
      signal,
    });
    observer.end('deploy', { report: done });
    assert.deepEqual(told, ['record ImageUpdated web', 'keep deploy found:', 'keep deploy failed:']);
  });

  it('keeps what was found while passes fail, and tells whose update a rejected push stopped', async () => {
    const { told, observer } = recording();
    const registry = fakeRegistry({ listTags: async () => listingOf('1.0.0', '1.1.0') });
    const repo: PassContext['repo'] = {
      ...fakeYamlRepo(repoFiles('select: {semver: "*"}')),
      push: () => Promise.reject(new TallymanError('PushRejected', 'Cannot push')),
    };
    const job = createPassJob(
      [{ subject: 'deploy', address: 'deploy', branch: undefined, context: passOver(repo, registry) }],
      {
        intervalMs: 1000,
        clock: testClock(),
        log: recordingLog().log,
        interest: { learn: () => undefined },
        scans: { add: async () => undefined },
        observers: [observer],
      },
    );
    await job({ subject: 'deploy', dueMs: 0 }, { signal });
    assert.deepEqual(told, ['keep deploy failed: PushRejected web']);
  });

  it('lets go of what was found where another process makes the passes', () => {
    const { told, observer } = recording();
    observer.leave?.();
    assert.deepEqual(told, ['keep deploy found:', 'keep deploy failed:']);
  });

  it('says nothing of a pass that was stopped, or of another Yaml repo', () => {
    const { told, observer } = recording();
    observer.end('deploy', {});
    observer.end('other', { failure: createProblem('Internal', 'Cannot go on') });
    assert.deepEqual(told, []);
  });
});
