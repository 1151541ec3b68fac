import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProblem } from '../../src/error/problem.ts';
import { commitAndPropose } from '../../src/pipeline/commit-and-propose.ts';
import { createMeasuring } from '../../src/pipeline/measure-work.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { recordingMetrics } from './recording-metrics.ts';

const { signal } = new AbortController();
const minute = 60_000;
const web = { name: 'ghcr.io/acme/web', repository: { host: 'ghcr.io', path: 'acme/web' }, more: false };
const rejected = createProblem('PushRejected', 'Cannot push');
const counts = { waiting: 1, delayed: 2, running: 3, oldestMs: 4000 };

function open({ tags = ['1.0.0'], races = 0, isAlone = true } = {}) {
  const clock = testClock();
  const metrics = recordingMetrics();
  const measuring = createMeasuring(['deploy'], { metrics, clock, forgetMs: 30 * minute, isAlone });
  const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'), { races });
  const context = passOver(repo, fakeRegistry({ listTags: async () => listingOf(...tags) }), clock);
  const { records } = measuring;
  /** A pass that takes two seconds. */
  const pass = async (failure?: typeof rejected) => {
    records.begin('deploy');
    const report = failure === undefined ? await commitAndPropose(context, { signal }) : undefined;
    clock.time += 2000;
    records.end('deploy', { report, failure });
  };
  const toldOf = (name: string) => metrics.told.filter((line) => line.startsWith(name));
  const scrape = async () => {
    measuring.watch({
      queues: { passes: { count: async () => counts }, scans: { count: async () => ({ ...counts, oldestMs: 0 }) } },
      tags: { listWanted: () => [{ name: web.name, sinceMs: clock.time - 90_000 }] },
    });
    return await metrics.scrape();
  };
  return { clock, metrics, measuring, records, pass, toldOf, scrape };
}

describe('createMeasuring', () => {
  it('counts a pass, its updates and its tries, and how long it took', async () => {
    const { metrics, pass } = open({ tags: ['1.0.0', '1.1.0'], races: 2 });
    await pass();
    assert.deepEqual(metrics.told, [
      'tallyman_passes_total deploy committed',
      'tallyman_pass_duration_seconds deploy = 2',
      'tallyman_updates_total deploy shop/web',
      'tallyman_push_retries_total deploy = 2',
    ]);
  });

  it('tells what the last pass found, and what the one after it failed with', async () => {
    const { pass, scrape, toldOf, clock } = open();
    await pass();
    const found = ['tallyman_policies deploy = 1', 'tallyman_policies_held deploy = 0'];
    const before = await scrape();
    assert.ok(
      found.every((line) => before.includes(line)),
      before.join('\n'),
    );
    await pass(rejected);
    const after = await scrape();
    assert.ok([...found, 'tallyman_problems deploy PushRejected = 1'].every((line) => after.includes(line)));
    assert.ok(after.includes(`tallyman_last_pass_timestamp_seconds deploy = ${(clock.time - 2000) / 1000}`));
    await pass();
    assert.ok(!(await scrape()).some((line) => line.startsWith('tallyman_problems')));
    assert.deepEqual(toldOf('tallyman_passes_total'), [
      'tallyman_passes_total deploy unchanged',
      'tallyman_passes_total deploy failed',
      'tallyman_passes_total deploy unchanged',
    ]);
  });

  it('lets go of what was found long ago', async () => {
    const { clock, pass, scrape } = open();
    await pass();
    clock.time += 31 * minute;
    assert.ok(!(await scrape()).some((line) => line.startsWith('tallyman_policies')));
  });

  it('knows how long a pass is under way, and over which Yaml repos there was one', async () => {
    const { clock, records, pass } = open();
    records.begin('deploy');
    clock.time += minute;
    assert.deepEqual([records.findLongestMs(), records.countSeen()], [minute, 0]);
    records.end('deploy', {});
    assert.deepEqual([records.findLongestMs(), records.countSeen()], [0, 0]);
    await pass(rejected);
    assert.deepEqual([records.findLongestMs(), records.countSeen()], [0, 1]);
  });

  it('reads queues, and how old answers are', async () => {
    const { scrape } = open();
    assert.deepEqual(await scrape(), [
      'tallyman_image_staleness_seconds ghcr.io/acme/web = 90',
      ...['waiting = 1', 'delayed = 2', 'running = 3'].map((rest) => `tallyman_queue_jobs pass ${rest}`),
      'tallyman_queue_oldest_due_seconds pass = 4',
      ...['waiting = 1', 'delayed = 2', 'running = 3'].map((rest) => `tallyman_queue_jobs scan ${rest}`),
      'tallyman_queue_oldest_due_seconds scan = 0',
    ]);
  });
});

describe('createMeasuring of the time from seen to committed', () => {
  const spans = 'tallyman_seen_to_commit_seconds';

  it('begins with the look that saw the tags change, also where passes failed meanwhile', async () => {
    const { clock, measuring, pass, toldOf } = open({ tags: ['1.0.0', '1.1.0'] });
    measuring.onLook(web, 'changed', clock.time);
    clock.time += 10_000;
    await pass(rejected);
    measuring.onLook(web, 'changed', clock.time);
    await pass();
    assert.deepEqual(toldOf(spans), [`${spans} deploy = 14`]);
    assert.equal(toldOf('tallyman_scans_total ghcr.io changed').length, 2);
  });

  it('begins with the look of another worker, which is none of this one', async () => {
    const { clock, measuring, pass, toldOf } = open({ tags: ['1.0.0', '1.1.0'], isAlone: false });
    measuring.onLook(web, 'told', clock.time - 7000);
    await pass();
    assert.deepEqual(toldOf(spans), [`${spans} deploy = 9`]);
    assert.deepEqual(toldOf('tallyman_scans_total'), []);
  });

  for (const [before, last] of [
    ['told', 'changed'],
    ['changed', 'told'],
    ['told', 'told'],
    ['changed', 'changed'],
  ] as const)
    it(`counts no change that another worker has committed: ${before}, then ${last}`, async () => {
      const { clock, measuring, pass, toldOf } = open({ tags: ['1.0.0', '1.1.0'], isAlone: false });
      measuring.onLook(web, before, clock.time);
      clock.time += 20 * minute;
      const lookedMs = clock.time - 3000;
      measuring.onLook(web, last, lookedMs);
      // What is told late takes nothing back.
      measuring.onLook(web, 'told', lookedMs - minute);
      await pass();
      assert.deepEqual(toldOf(spans), [`${spans} deploy = 5`]);
    });

  it('counts no change that another worker has found too young', async () => {
    const { clock, measuring, pass, toldOf } = open({ tags: ['1.0.0', '1.1.0'], isAlone: false });
    measuring.onLook(web, 'told', clock.time);
    clock.time += 30 * minute;
    await pass();
    assert.equal(toldOf('tallyman_updates_total').length, 1);
    assert.deepEqual(toldOf(spans), []);
  });

  it('counts no change that a pass had nothing to write for, and no first look', async () => {
    const tags = ['1.0.0'];
    const { clock, measuring, pass, toldOf } = open({ tags });
    measuring.onLook(web, 'changed', clock.time);
    clock.time += 1000;
    await pass();
    tags.push('1.1.0');
    measuring.onLook(web, 'first', clock.time);
    await pass();
    assert.equal(toldOf('tallyman_updates_total').length, 1);
    assert.deepEqual(toldOf(spans), []);
  });
});
