import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { explainPolicy } from '../../src/pipeline/explain-policy.ts';
import { createPassJob } from '../../src/pipeline/pass-job.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { openLookup, type PassReport, planPass, runPass } from '../../src/pipeline/run-pass.ts';
import { memoryLedger } from '../ledger/memory-ledger.ts';
import { fakeRegistry, listingOf, manifestWith, testClock, unavailable } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { recordingLog } from './recording-log.ts';

const { signal } = new AbortController();
const hour = 3_600_000;
const minute = 60_000;
const digestOf = (name: string): string => `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}`;
const aged = 'select: {semver: "*"}, minimumAge: 24h';

/** How far the ledger's clock is ahead of the worker's; undefined: it has none. */
const differences = [undefined, 100 * hour, -100 * hour];
const describeDifference = (aheadMs = 0): string => `where the ledger's clock is ${aheadMs / hour} h ahead`;

/** A daemon over a registry that tells no times, whose tags and images tests change: `{ '1.0.0': 'a' }`. */
function openScene(
  spec: string,
  images: Record<string, string>,
  currents?: readonly string[],
  { aheadMs }: { aheadMs?: number | undefined } = {},
) {
  const state = { images };
  const clock = testClock();
  const registry = fakeRegistry({
    listTags: async () => listingOf(...Object.keys(state.images)),
    async fetchManifest(_repository, tag) {
      const image = state.images[tag];
      if (image === undefined) throw new TallymanError('ImageNotFound', `Cannot find ${tag}`);
      return manifestWith({ digest: digestOf(image) });
    },
  });
  const repo = fakeYamlRepo(repoFiles(spec, currents));
  const ledger = memoryLedger();
  if (aheadMs !== undefined) Object.defineProperty(ledger, 'sharedMs', { get: () => clock.time + aheadMs });
  const settings = { intervalMs: minute, maxIntervalMs: 5 * minute, concurrency: 4, clock, signal };
  const poller = createImagePoller(registry, settings);
  const context = { ...passOver(repo, registry, clock), poller, ledger };
  return {
    clock,
    context,
    ledger,
    poller,
    registry,
    repo,
    push: (more: Record<string, string>) => Object.assign(state.images, more),
    remove: (tag: string) => Reflect.deleteProperty(state.images, tag),
    /** What a pass writes, after so long. */
    async pass(afterMs = 0): Promise<PassReport & { written: readonly string[]; codes: readonly string[] }> {
      clock.time += afterMs;
      const report = await runPass(context, { signal });
      const written = report.updates.map(({ from, to }) => `${from} → ${to}`);
      return { ...report, written, codes: report.problems.map(({ code }) => code) };
    },
  };
}

describe('minimumAge where a registry is slow', () => {
  it('counts from when an answer was there, not from when it was asked for', async () => {
    const { clock, registry, push, pass } = openScene('select: {semver: "*"}, minimumAge: 10m', { '1.0.0': 'a' });
    await pass();
    const { listTags } = registry;
    registry.listTags = async (...asked) => {
      // Pushed just before the list comes.
      clock.time += 8 * minute;
      push({ '1.1.0': 'b' });
      return await listTags(...asked);
    };
    assert.deepEqual((await pass(10 * minute)).written, []);
    registry.listTags = listTags;
    assert.deepEqual((await pass(10 * minute - 1)).written, []);
    assert.deepEqual((await pass(1)).written, ['1.0.0 → 1.1.0']);
  });
});

describe('minimumAge where workers’ clocks do not agree', () => {
  for (const apartMs of [100 * hour, -100 * hour])
    it(`counts by the clock that they share, though one's own is ${apartMs / hour} h ahead`, async () => {
      const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
      const { ledger } = scene;
      ledger.sharedMs = scene.clock.time;
      await scene.pass();
      assert.deepEqual((await scene.pass(apartMs)).written, []);
      ledger.sharedMs += 24 * hour - 1;
      assert.deepEqual((await scene.pass()).written, []);
      ledger.sharedMs += 1;
      assert.deepEqual((await scene.pass(10 * minute)).written, ['1.0.0 → 1.1.0']);
    });

  /** Two workers over one ledger, whose clocks are 100 hours apart: the first has no policy with an age. */
  const openTwo = (ownSpec: string) => {
    const images = { '1.0.0': 'a', '1.1.0': 'b' };
    const [behind, other] = [openScene(ownSpec, images, ['1.1.0']), openScene(aged, images)];
    const { ledger } = other;
    ledger.sharedMs = other.clock.time;
    behind.clock.time -= 100 * hour;
    return { behind: { ...behind, context: { ...behind.context, ledger } }, other, ledger };
  };

  it('counts by the clock that they share also what a worker saw that wants no ages', async () => {
    const { behind, other, ledger } = openTwo('select: {semver: "*"}');
    await runPass(behind.context, { signal });
    assert.equal(ledger.writes, 1);
    assert.deepEqual((await other.pass()).written, []);
    ledger.sharedMs = other.clock.time + 24 * hour;
    assert.deepEqual((await other.pass(24 * hour)).written, ['1.0.0 → 1.1.0']);
  });

  it('records nothing where that clock cannot be asked', async () => {
    const { behind, ledger } = openTwo('select: {semver: "*"}');
    const nowMs = () => Promise.reject(new TallymanError('LedgerUnavailable', 'Cannot ask for the time'));
    const report = await runPass({ ...behind.context, ledger: { ...ledger, nowMs } }, { signal });
    assert.deepEqual([report.problems, ledger.writes, ledger.texts.size], [[], 0, 0]);
  });

  it('counts by it in explanations of a policy that no pass is about', async () => {
    const { behind, ledger } = openTwo(`${aged}, suspend: true`);
    const explain = async () => {
      const lookup = openLookup(behind.context, { signal });
      return await explainPolicy(behind.context, lookup, { key: 'shop/web', signal });
    };
    await explain();
    const entries = await ledger.read('ghcr.io/acme/web', { signal });
    assert.deepEqual([...new Set([...entries.values()].map(({ seenMs }) => seenMs))], [ledger.sharedMs]);
  });
});

describe('windows of a policy', () => {
  it('let a version wait for the next one, and the newest of them is written then', async () => {
    const hours = '{from: "09:00", to: "17:00", timeZone: Europe/Berlin}';
    const scene = openScene(`select: {semver: "*"}, write: {windows: [${hours}]}`, { '1.0.0': 'a', '1.1.0': 'b' });
    const opensMs = Date.parse('2023-11-15T08:00Z');
    const first = await scene.pass();
    assert.deepEqual([first.written, first.codes, first.wakeMs], [[], [], opensMs]);
    scene.push({ '1.2.0': 'c' });
    assert.deepEqual((await scene.pass(opensMs - scene.clock.time - 1)).written, []);
    assert.deepEqual((await scene.pass(1)).written, ['1.0.0 → 1.2.0']);
  });
});

describe('minimumAge where the registry tells no times', () => {
  it('counts from when the image was first seen behind the tag, and no earlier', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
    const first = await scene.pass();
    assert.deepEqual([first.written, first.codes, first.wakeMs], [[], [], scene.clock.time + 24 * hour]);
    assert.deepEqual((await scene.pass(24 * hour - 1)).written, []);
    assert.deepEqual((await scene.pass(1)).written, ['1.0.0 → 1.1.0']);
  });

  it('starts the clock of a better tag when it comes, and goes on with the other meanwhile', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
    await scene.pass();
    scene.push({ '1.2.0': 'c' });
    const second = await scene.pass(23 * hour);
    assert.equal(second.wakeMs, scene.clock.time + hour);
    assert.deepEqual((await scene.pass(hour)).written, ['1.0.0 → 1.1.0']);
    assert.deepEqual((await scene.pass(22 * hour)).written, []);
    assert.deepEqual((await scene.pass(hour)).written, ['1.1.0 → 1.2.0']);
  });

  for (const aheadMs of differences)
    it(`asks anew when the time has come: what was moved meanwhile begins again, ${describeDifference(aheadMs)}`, async () => {
      const scene = openScene(`${aged}, pin: digest`, { '1.0.0': 'a', '1.1.0': 'b' }, ['1.0.0'], { aheadMs });
      await scene.pass();
      // The last answer of the registry is a moment old when the time has come.
      await scene.pass(24 * hour - 1000);
      scene.push({ '1.1.0': 'evil' });
      const due = await scene.pass(1000);
      assert.ok(!due.written.some((line) => line.includes('1.1.0')), due.written.join());
      assert.ok(due.codes.includes('TagMutated'));
      assert.deepEqual(
        (await scene.pass(24 * hour - 1)).written.filter((line) => line.includes('1.1.0')),
        [],
      );
      const after = await scene.pass(1);
      assert.deepEqual(after.written.filter((line) => line.includes('1.1.0')).length, 1);
      assert.match(after.written.join(), new RegExp(`1\\.1\\.0@${digestOf('evil')}`));
    });

  for (const aheadMs of differences)
    it(`asks anew though what it was told is not due yet, ${describeDifference(aheadMs)}`, async () => {
      const spec = 'select: {semver: "*"}, minimumAge: 30s';
      const scene = openScene(spec, { '1.0.0': 'a', '1.1.0': 'b' }, undefined, { aheadMs });
      await scene.pass();
      scene.push({ '1.1.0': 'evil' });
      const due = await scene.pass(30_000);
      assert.deepEqual([due.written, due.codes], [[], ['TagMutated']]);
    });

  it('asks once when the time has come, and no more often than before afterwards', async () => {
    const scene = openScene(`${aged}, write: {mode: pull-request}`, { '1.0.0': 'a', '1.1.0': 'b' });
    const { context, registry } = scene;
    const plan = async () => {
      registry.asked.length = 0;
      const planned = await planPass(context, openLookup(context, { signal }), { signal });
      return [planned.updates.length, registry.asked.filter((line) => line.endsWith(':1.1.0')).length];
    };
    assert.deepEqual(await plan(), [0, 1]);
    scene.clock.time += 24 * hour;
    assert.deepEqual(await plan(), [1, 1]);
    scene.clock.time += 1000;
    assert.deepEqual(await plan(), [1, 0]);
  });

  it('writes nothing where the ledger fails, and tells only the policies that need it', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
    scene.ledger.failure = new TallymanError('LedgerUnavailable', 'Cannot open it');
    const report = await scene.pass();
    assert.deepEqual([report.written, report.codes], [[], ['LedgerUnavailable']]);
    assert.equal(report.problems[0]?.policy, 'shop/web');
    scene.ledger.failure = undefined;
    await scene.pass();
    assert.deepEqual((await scene.pass(24 * hour)).written, ['1.0.0 → 1.1.0']);
    const other = openScene('select: {semver: "*"}', { '1.0.0': 'a', '1.1.0': 'b' });
    other.ledger.failure = new TallymanError('LedgerUnavailable', 'Cannot open it');
    const free = await other.pass();
    assert.deepEqual([free.written, free.codes], [['1.0.0 → 1.1.0'], []]);
  });

  it('counts all anew where the ledger was lost', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
    await scene.pass();
    scene.ledger.texts.clear();
    assert.deepEqual((await scene.pass(24 * hour)).written, []);
    assert.deepEqual((await scene.pass(24 * hour)).written, ['1.0.0 → 1.1.0']);
  });

  it('holds for a digest that is followed', async () => {
    const scene = openScene('select: {digest: main}, minimumAge: 24h', { main: 'a' }, [`main@${digestOf('a')}`]);
    await scene.pass();
    scene.push({ main: 'b' });
    assert.deepEqual((await scene.pass(48 * hour)).written, []);
    const late = await scene.pass(24 * hour);
    assert.deepEqual([late.updates.map(({ to }) => to), late.codes], [[`main@${digestOf('b')}`], []]);
  });

  it('writes to the ledger only what is new, and nothing where no policy wants times', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b' });
    await scene.pass();
    const { writes } = scene.ledger;
    await scene.pass(minute);
    await scene.pass(10 * minute);
    assert.equal(scene.ledger.writes, writes);
    const once = openScene('select: {semver: "*"}', { '1.0.0': 'a', '0.9.0': 'b' });
    const { poller: _, ...without } = once.context;
    await runPass(without, { signal });
    assert.equal(once.ledger.writes, 0);
  });

  it('is told in explain', async () => {
    const scene = openScene(aged, { '1.0.0': 'a', '1.1.0': 'b', '1.2.0': 'c' });
    const { context } = scene;
    const explain = () => explainPolicy(context, openLookup(context, { signal }), { key: 'shop/web', signal });
    const { tags, problems } = await explain();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      tags.slice(0, 2).map(({ tag, verdict, reason }) => `${tag} ${verdict}: ${reason}`),
      ['1.2.0 waiting: younger than 24h', '1.1.0 waiting: age is not known'],
    );
  });
});

describe('minimumAge where the registry tells push times', () => {
  const openTimed = () => {
    const scene = openScene(`${aged}, pin: digest`, { '1.0.0': 'a', '1.1.0': 'b' }, [`1.0.0@${digestOf('a')}`]);
    const startMs = scene.clock.time;
    const state = { pushedMs: startMs, isDown: false, looks: 0 };
    scene.registry.listTags = async () => {
      state.looks += 1;
      if (state.isDown) throw unavailable;
      const pushedMs = new Map([
        ['1.0.0', startMs - 90 * 24 * hour],
        ['1.1.0', state.pushedMs],
      ]);
      return { tags: ['1.0.0', '1.1.0'], pushedMs };
    };
    return Object.assign(scene, { state });
  };

  it('counts from them', async () => {
    const scene = openTimed();
    assert.deepEqual((await scene.pass(24 * hour - 1)).written, []);
    assert.match((await scene.pass(1)).written.join(), new RegExp(`1\\.1\\.0@${digestOf('b')}`));
  });

  it('counts anew what was moved after the tags were last listed', async () => {
    const scene = openTimed();
    for (const afterMs of [hour, 23 * hour - minute / 2]) await scene.pass(afterMs);
    const { looks } = scene.state;
    scene.push({ '1.1.0': 'evil' });
    scene.state.pushedMs = scene.clock.time + minute / 4;
    const due = await scene.pass(minute / 2);
    assert.deepEqual([scene.state.looks, due.written, due.codes], [looks, [], ['TagMutated']]);
    assert.deepEqual((await scene.pass(24 * hour - 1)).written, []);
    assert.match((await scene.pass(1)).written.join(), new RegExp(`1\\.1\\.0@${digestOf('evil')}`));
  });

  it('counts from a push that was told, however long the digest before was known', async () => {
    const scene = openTimed();
    await scene.pass(hour);
    scene.push({ '1.1.0': 'c' });
    scene.state.pushedMs = scene.clock.time + 9 * hour;
    await scene.pass(9 * hour);
    assert.deepEqual((await scene.pass(24 * hour - 1)).written, []);
    assert.equal((await scene.pass(1)).written.length, 1);
  });

  it('waits while the tags cannot be listed, and where the ledger fails', async () => {
    const scene = openTimed();
    await scene.pass(23 * hour);
    scene.state.isDown = true;
    const blind = await scene.pass(hour);
    assert.deepEqual([blind.written, blind.codes], [[], ['RegistryUnavailable']]);
    assert.equal(blind.problems[0]?.message, unavailable.message);
    scene.state.isDown = false;
    scene.ledger.failure = new TallymanError('LedgerUnavailable', 'Cannot open it');
    const lost = await scene.pass(hour);
    assert.deepEqual([lost.written, lost.codes], [[], ['LedgerUnavailable']]);
    scene.ledger.failure = undefined;
    assert.equal((await scene.pass(minute)).written.length, 1);
  });
});

describe('newest where the registry tells no times', () => {
  it('leaves what is there as it is at first, and takes what comes', async () => {
    const scene = openScene('select: {newest: true}', { blue: 'a', '1.0.0': 'b', green: 'c' });
    assert.deepEqual((await scene.pass()).written, []);
    scene.push({ red: 'd' });
    assert.deepEqual((await scene.pass(10 * minute)).written, ['1.0.0 → red']);
    scene.remove('red');
    assert.deepEqual((await scene.pass(10 * minute)).written, []);
  });

  it('guesses at nothing where Git has no tag of the list', async () => {
    const scene = openScene('select: {newest: true}', { blue: 'a', green: 'c' }, ['placeholder']);
    assert.deepEqual((await scene.pass()).written, []);
    scene.push({ red: 'd' });
    assert.deepEqual((await scene.pass(10 * minute)).written, ['placeholder → red']);
  });
});

describe('a version tag that is moved', () => {
  const any = 'select: {semver: "*"}';

  for (const aheadMs of differences)
    it(`is told for a day, though nothing is to be written, ${describeDifference(aheadMs)}`, async () => {
      const scene = openScene(any, { '1.0.0': 'a' }, undefined, { aheadMs });
      assert.deepEqual((await scene.pass()).codes, []);
      scene.push({ '1.0.0': 'evil' });
      const { problems } = await scene.pass(10 * minute);
      assert.deepEqual(
        problems.map(({ code, policy }) => [code, policy]),
        [['TagMutated', 'shop/web']],
      );
      const [a, b] = [digestOf('a'), digestOf('evil')];
      assert.ok(
        problems[0]?.message.startsWith(
          `Cannot trust tag "1.0.0" of "ghcr.io/acme/web": it was ${a} and is ${b} since `,
        ),
      );
      assert.deepEqual((await scene.pass(23 * hour)).codes, ['TagMutated']);
      assert.deepEqual((await scene.pass(hour)).codes, []);
    });

  for (const mutation of ['follow', 'block'])
    it(`is told for a day without a break where it was to be written and is not, with ${mutation}`, async () => {
      const scene = openScene(`${aged}, mutation: ${mutation}`, { '1.0.0': 'a', '1.1.0': 'b' });
      await scene.pass();
      scene.push({ '1.1.0': 'evil' });
      const told = [await scene.pass(24 * hour), await scene.pass(minute), await scene.pass(23 * hour)];
      assert.deepEqual(
        told.map(({ codes }) => codes),
        [['TagMutated'], ['TagMutated'], ['TagMutated']],
      );
      assert.deepEqual((await scene.pass(hour)).codes, []);
    });

  it('is passed over where the policy blocks it', async () => {
    const scene = openScene(`${aged}, mutation: block`, { '1.0.0': 'a', '1.1.0': 'b', '1.2.0': 'c' });
    await scene.pass();
    scene.push({ '1.2.0': 'evil' });
    await scene.pass(24 * hour);
    assert.deepEqual((await scene.pass(24 * hour)).written, ['1.0.0 → 1.1.0']);
    assert.deepEqual((await scene.pass(48 * hour)).written, []);
  });

  it('is no alarm where its digest is followed', async () => {
    const scene = openScene('select: {digest: main}', { main: 'a' }, [`main@${digestOf('a')}`]);
    await scene.pass();
    scene.push({ main: 'b' });
    const report = await scene.pass(10 * minute);
    assert.deepEqual([report.updates.length, report.codes], [1, []]);
  });

  it('is not looked for by a command that makes one pass', async () => {
    const { context, registry } = openScene(any, { '1.0.0': 'a' });
    const { poller: _, ...once } = context;
    await runPass(once, { signal });
    assert.deepEqual(registry.asked, ['list ghcr.io/acme/web']);
  });
});

describe('a job that makes passes', () => {
  const openJob = ({ context, clock }: ReturnType<typeof openScene>) => {
    const { log } = recordingLog();
    const options = {
      ...{ intervalMs: minute, clock, log },
      ...{ interest: { learn: () => undefined }, scans: { add: async () => undefined } },
    };
    const run = createPassJob([{ subject: 'it', address: 'it', branch: undefined, context }], options);
    /** After how long it comes again, so often. */
    return async (times: number): Promise<readonly number[]> => {
      const again: number[] = [];
      while (again.length < times) {
        const { againMs = 0 } = await run({ subject: 'it', dueMs: 0 }, { signal });
        again.push(againMs);
        clock.time += againMs;
      }
      return again;
    };
  };
  const images = { '1.0.0': 'a', '1.1.0': 'b' };

  for (const aheadMs of differences)
    it(`comes again when the first tag is old enough, and no later, ${describeDifference(aheadMs)}`, async () => {
      const spec = 'select: {semver: "*"}, minimumAge: 100s';
      const runFor = openJob(openScene(spec, images, undefined, { aheadMs }));
      assert.deepEqual(await runFor(3), [60_000, 40_000, 60_000]);
    });

  const windows = 'select: {semver: "*"}, write: {windows: [{from: "08:00", to: "17:00", timeZone: UTC}]}';
  const opensMs = Date.parse('2023-11-15T08:00Z');

  for (const wallAheadMs of [0, 20_000, -20_000])
    it(`comes again when a window opens, by a wall clock that is ${wallAheadMs / 1000} s ahead`, async () => {
      const scene = openScene(windows, images);
      scene.clock.time = opensMs - wallAheadMs - 90_000;
      scene.clock.wallMs = () => scene.clock.time + wallAheadMs;
      assert.deepEqual(await openJob(scene)(3), [60_000, 30_000, 60_000]);
      assert.equal(scene.repo.messages.length, 2);
    });

  it('comes again no sooner than in a second, though the wall’s clock is set back just before a window', async () => {
    const scene = openScene(windows, images);
    scene.clock.time = opensMs - 2;
    assert.deepEqual(await openJob(scene)(1), [1000]);
  });
});
