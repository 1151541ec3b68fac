import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openScene, type Reply, type Scene } from './act-out.ts';
import { openRegistry, sendJson } from './open-registry.ts';

const paths = Array.from({ length: 200 }, (_, index) => `acme/app-${index}`);
const latencyMs = 1;
const refusal = (status: number, retryAfter?: string): Reply => ({
  status,
  json: { errors: [{ code: status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE', message: 'not now' }] },
  ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }),
});

interface Storm {
  /** The answer to the request of that number, from 1; undefined for the tag list. */
  weather: (count: number) => Reply | undefined;
  count: number;
  most: number;
}

/** A registry that counts what it is asked, and how much of it at the same time; those who sleep, sleep at the same time. */
async function openStorm(t: TestContext, weather: Storm['weather']) {
  const storm: Storm = { weather, count: 0, most: 0 };
  let inFlight = 0;
  let aheadMs = 0;
  const open = await openRegistry(t, {
    now: () => Date.now() + aheadMs,
    sleep: async (waitMs) => {
      const endMs = aheadMs + waitMs;
      await new Promise(setImmediate);
      aheadMs = Math.max(aheadMs, endMs);
    },
    server: {
      intercept: (_request, response) => {
        storm.count += 1;
        inFlight += 1;
        storm.most = Math.max(storm.most, inFlight);
        const { json, status = 200, headers = {} } = storm.weather(storm.count) ?? { json: { tags: ['1.0'] } };
        // Others have time to come in before the first is gone.
        setTimeout(() => {
          inFlight -= 1;
          sendJson(response, json, { status, headers: { ...headers } });
        }, latencyMs);
        return true;
      },
    },
  });
  const { client, repository, signal } = open;
  const listAll = () => Promise.allSettled(paths.map((path) => client.listTags({ ...repository, path }, { signal })));
  const pass = (ms: number): void => {
    aheadMs += ms;
  };
  return { storm, listAll, pass };
}

type Outcomes = Awaited<ReturnType<Awaited<ReturnType<typeof openStorm>>['listAll']>>;
const successes = (outcomes: Outcomes): number => outcomes.filter(({ status }) => status === 'fulfilled').length;
const messages = (outcomes: Outcomes): string[] =>
  outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : []));

/** The registry is well again: so are all 200 lists, and no more than eight are asked for at once. */
async function checkCalm({ storm, listAll, pass }: Awaited<ReturnType<typeof openStorm>>): Promise<void> {
  storm.weather = () => undefined;
  pass(2 * 3_600_000);
  storm.count = 0;
  storm.most = 0;
  assert.equal(successes(await listAll()), 200);
  assert.equal(storm.count, 200);
  assert.ok(storm.most <= 8, `${storm.most} at once`);
}

describe('200 repositories at once', () => {
  it('are asked for eight at a time', async (t) => {
    const scene = await openStorm(t, () => undefined);
    assert.equal(successes(await scene.listAll()), 200);
    assert.equal(scene.storm.count, 200);
    assert.ok(scene.storm.most > 1 && scene.storm.most <= 8, `${scene.storm.most} at once`);
  });

  it('all come through a storm of twenty 429, with twenty requests more', async (t) => {
    const scene = await openStorm(t, (count) => (count <= 20 ? refusal(429, '0.000377') : undefined));
    assert.equal(successes(await scene.listAll()), 200);
    assert.equal(scene.storm.count, 220);
    assert.ok(scene.storm.most <= 8, `${scene.storm.most} at once`);
    await checkCalm(scene);
  });

  it('come through where every third request is refused', async (t) => {
    const scene = await openStorm(t, (count) => (count % 3 === 0 ? refusal(429, '1') : undefined));
    const outcomes = await scene.listAll();
    assert.ok(successes(outcomes) >= 180, `${successes(outcomes)} came through`);
    assert.ok(scene.storm.count <= 310, `${scene.storm.count} requests`);
    await checkCalm(scene);
  });

  it('meet a 429 that does not end with three requests each at most, one at a time in the end', async (t) => {
    const scene = await openStorm(t, (count) => {
      if (count === 100) scene.storm.most = 0;
      return refusal(429, '0');
    });
    const failed = messages(await scene.listAll());
    assert.equal(failed.length, 200);
    for (const message of failed) assert.match(message, /answered 429 \(TOOMANYREQUESTS: not now\), 200 was wanted/);
    assert.equal(scene.storm.count, 600);
    assert.equal(scene.storm.most, 1);
    await checkCalm(scene);
  });

  it('stop at once where a 429 says nothing of when it ends, before it is too long to wait', async (t) => {
    const scene = await openStorm(t, () => refusal(429));
    const failed = messages(await scene.listAll());
    assert.equal(failed.length, 200);
    assert.ok(scene.storm.count < 40, `${scene.storm.count} requests`);
    for (const message of failed) assert.match(message, /asks to wait \d+ s more|answered 429/);
    await checkCalm(scene);
  });

  it('stop at once where a 429 asks for an hour', async (t) => {
    const scene = await openStorm(t, () => refusal(429, '3600'));
    const failed = messages(await scene.listAll());
    assert.equal(failed.length, 200);
    assert.ok(scene.storm.count <= 8, `${scene.storm.count} requests`);
    for (const message of failed) assert.match(message, /asks to wait 3600 s( more)?, at most 10 s were wanted/);
    await checkCalm(scene);
  });

  it('stop at once where the registry is down, and one goes to see', async (t) => {
    const scene = await openStorm(t, () => refusal(502));
    const failed = messages(await scene.listAll());
    assert.equal(failed.length, 200);
    // Ten repositories have to be answered so before it is the host's fault; eight more are in flight.
    assert.ok(scene.storm.count <= 60, `${scene.storm.count} requests`);
    scene.storm.count = 0;
    scene.pass(60_000);
    await scene.listAll();
    assert.equal(scene.storm.count, 1);
    await checkCalm(scene);
  });
});

describe('a wait that a registry asks for', () => {
  const inMs = (ms: number): string => new Date(Date.now() + ms).toUTCString();
  const refused = /asks to wait \S+ s, at most 10 s were wanted/;
  const answered = /answered 429 \(TOOMANYREQUESTS: not now\)/;
  const rows: [name: string, retryAfter: () => string, found: RegExp, calls: number, waits: number[]][] = [
    ['of half a day is not waited for', () => '43200', refused, 1, []],
    ['until tomorrow is not waited for', () => inMs(86_400_000), refused, 1, []],
    ['of more seconds than there are is not waited for', () => '9'.repeat(40), refused, 1, []],
    ['until yesterday is a second', () => inMs(-86_400_000), answered, 3, [1000, 1000]],
    ['below a millisecond is a second', () => '0.000000001', answered, 3, [1000, 1000]],
    ['of less than nothing is none', () => '-5', answered, 3, [1000, 2000]],
    ['that is no time is none', () => 'soon', answered, 3, [1000, 2000]],
  ];
  for (const [name, retryAfter, message, calls, waits] of rows) {
    it(name, async (t) => {
      const scene: Scene = await openScene(t, { registry: () => refusal(429, retryAfter()) });
      await assert.rejects(scene.list(), { code: 'RegistryUnavailable', message });
      assert.equal(scene.calls.length, calls);
      assert.deepEqual(scene.waits.map(Math.round), waits);
    });
  }
});
