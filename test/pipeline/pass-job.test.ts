import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { JobOutcome, JobRequest } from '../../src/pipeline/job-ports.ts';
import { createPassJob } from '../../src/pipeline/pass-job.ts';
import type { PassResult } from '../../src/pipeline/pass-records.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { recordingLog } from './recording-log.ts';

const { signal } = new AbortController();
const dueMs = 0;

function describeResult({ report, failure }: PassResult): string {
  return (
    [...(report === undefined ? [] : ['done']), ...(failure === undefined ? [] : [failure.code])].join(' ') || 'stopped'
  );
}

function open(fetch?: () => Promise<never>, add?: () => Promise<never>, afterPush?: () => void) {
  const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'));
  const push: typeof repo.push = (commit, options) => repo.push(commit, options).finally(afterPush);
  const tags = afterPush === undefined ? ['1.0.0'] : ['1.0.0', '1.1.0'];
  const registry = fakeRegistry({ listTags: async () => listingOf(...tags) });
  const context = passOver({ ...repo, push, ...(fetch !== undefined && { fetch }) }, registry);
  const clock = testClock();
  const added: JobRequest[] = [];
  const learned: string[] = [];
  const { log, lines } = recordingLog();
  const over: string[] = [];
  const job = createPassJob([{ subject: 'deploy', address: 'deploy', branch: undefined, context }], {
    intervalMs: 1000,
    clock,
    log,
    interest: { learn: (subject, images) => void learned.push(...images.map(({ path }) => `${subject} ${path}`)) },
    scans: { add: add ?? (async (jobs) => void added.push(...jobs)) },
    observers: [{ begin: () => {}, end: (subject, result) => over.push(`${subject} ${describeResult(result)}`) }],
  });
  return { job, clock, added, learned, lines, over };
}

describe('createPassJob', () => {
  it('makes a pass, has its images scanned, and comes again after the interval', async () => {
    const { job, added, learned, over } = open();
    const outcome = await job({ subject: 'deploy', dueMs }, { signal });
    assert.deepEqual(outcome, { againMs: 1000 });
    const scan = { subject: 'ghcr.io/acme/web', delayMs: 1000, urgent: false, ifAbsent: true };
    assert.deepEqual([added, learned, over], [[scan], ['deploy acme/web'], ['deploy done']]);
  });

  it('waits longer after each failure, tells it once, and goes on', async () => {
    const unavailable = () => Promise.reject(new TallymanError('RepoUnavailable', 'Cannot reach it'));
    const { job, clock, lines, over } = open(unavailable);
    const waits = [];
    for (let run = 0; run < 13; run += 1) {
      const { againMs = 0 } = await job({ subject: 'deploy', dueMs }, { signal });
      waits.push(againMs / 1000);
      clock.time += againMs;
    }
    assert.deepEqual(waits, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    assert.deepEqual(lines, ['warn Cannot reach it']);
    assert.equal(over[0], 'deploy RepoUnavailable');
  });

  it('comes again as soon where webhooks made it fail a hundred times in a second', async () => {
    const { job, clock } = open(() => Promise.reject(new TallymanError('RepoUnavailable', 'Cannot reach it')));
    let outcome: JobOutcome = { againMs: 0 };
    for (let run = 0; run < 100; run += 1) {
      outcome = await job({ subject: 'deploy', dueMs }, { signal });
      clock.time += 10;
    }
    assert.deepEqual(outcome, { againMs: 1000 });
  });

  it('leaves a pass that was stopped to who is there', async () => {
    const stop = new AbortController();
    const { job, lines, over } = open(() => {
      stop.abort(new Error('stopped'));
      return Promise.reject(stop.signal.reason);
    });
    const outcome = await job({ subject: 'deploy', dueMs }, { signal: stop.signal });
    assert.deepEqual([outcome, lines, over], [{ againMs: 0 }, [], ['deploy stopped']]);
  });

  it('tells what was done before it was stopped, and leaves the rest to who is there', async () => {
    const stop = new AbortController();
    const { job, lines, over, added } = open(undefined, undefined, () => stop.abort(new Error('stopped')));
    const outcome = await job({ subject: 'deploy', dueMs }, { signal: stop.signal });
    assert.deepEqual([outcome, added, over], [{ againMs: 0 }, [], ['deploy done']]);
    assert.equal(lines[0], 'info shop/web: 1.0.0 → 1.1.0');
  });

  it('tells what was done where the queue fails afterwards', async () => {
    const { job, over } = open(undefined, () => Promise.reject(new TallymanError('QueueUnavailable', 'Cannot add')));
    const outcome = await job({ subject: 'deploy', dueMs }, { signal });
    assert.deepEqual([outcome, over], [{ againMs: 1000 }, ['deploy done QueueUnavailable']]);
  });

  it('lets go of a Yaml repo that is not configured any more', async () => {
    const { job, over } = open();
    const outcome = await job({ subject: 'gone', dueMs }, { signal });
    assert.deepEqual([outcome, over], [{ againMs: undefined }, []]);
  });
});
