import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { type HostSettings, resolveRegistryHost } from '../../src/registry/host.ts';
import type { Exchange, HttpRequest } from '../../src/registry/http.ts';
import { defaultLimits } from '../../src/registry/limits.ts';
import { createPoliteExchange } from '../../src/registry/polite-exchange.ts';

const url = new URL('https://ghcr.io/v2/acme/web/tags/list');

function answered(status: number, headers: Record<string, string> = {}): Exchange {
  return {
    kind: 'answered',
    answer: { status, headers, body: Buffer.alloc(0), url, complaint: { codes: [], text: '' }, warning: undefined },
  };
}

const silent: Exchange = {
  kind: 'failed',
  transient: true,
  origin: url.origin,
  error: new TallymanError('RegistryUnavailable', 'Cannot go: it is cut'),
};

/** A host that answers as told, on a clock that only sleeping moves. */
function prepare(answer: (sent: number) => Exchange, settings: HostSettings = {}) {
  const clock = { nowMs: 1_000_000 };
  const waits: number[] = [];
  const budgets: string[] = [];
  const troubles: string[] = [];
  const load = { sent: 0, inFlight: 0, most: 0 };
  const exchange = createPoliteExchange({
    limits: defaultLimits,
    now: () => clock.nowMs,
    random: () => 0.5,
    sleep: async (waitMs) => {
      waits.push(waitMs);
      clock.nowMs += waitMs;
    },
    onTrouble: (host, trouble, waitMs) => troubles.push(`${host} ${trouble} ${waitMs}`),
    onBudget: (host, { left, limit }) => budgets.push(`${host} ${left}/${limit}`),
    exchange: async () => {
      load.sent += 1;
      const { sent } = load;
      load.inFlight += 1;
      load.most = Math.max(load.most, load.inFlight);
      await new Promise(setImmediate);
      load.inFlight -= 1;
      return answer(sent);
    },
  });
  const request: HttpRequest = {
    host: resolveRegistryHost('ghcr.io', settings),
    url,
    accept: '*/*',
    maxBodyBytes: 1,
    task: 'list the tags of "ghcr.io/acme/web"',
    signal: new AbortController().signal,
  };
  const ask = async (changes: Partial<HttpRequest> = {}): Promise<string> => {
    const outcome = await exchange({ ...request, ...changes });
    return outcome.kind === 'answered' ? String(outcome.answer.status) : outcome.error.message;
  };
  const askMany = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, () => ask()));
  return { ask, askMany, clock, waits, budgets, troubles, load };
}

describe('createPoliteExchange', () => {
  it('keeps to eight at a time, or to what is set', async () => {
    const usual = prepare(() => answered(200));
    await usual.askMany(40);
    assert.equal(usual.load.most, 8);
    const set = prepare(() => answered(200), { maxInFlight: 3 });
    await set.askMany(40);
    assert.equal(set.load.most, 3);
  });

  it('keeps to a rate, after a burst of a second', async () => {
    const { askMany, clock } = prepare(() => answered(200), { requestsPerSecond: 5, maxInFlight: 1 });
    const startMs = clock.nowMs;
    await askMany(25);
    const tookMs = clock.nowMs - startMs;
    assert.ok(tookMs > 3500 && tookMs <= 4000, `25 requests at 5 a second took ${tookMs} ms`);
  });

  it('holds everybody back for as long as one was asked to wait', async () => {
    const { ask, waits } = prepare((sent) => answered(sent === 1 ? 429 : 200, { 'retry-after': '4' }));
    assert.equal(await ask(), '429');
    assert.equal(await ask(), '200');
    assert.deepEqual(waits, [4125]);
  });

  it('sends nothing at all while a long rest is asked for, and says how long', async () => {
    const { ask, clock, load } = prepare((sent) => answered(sent === 1 ? 429 : 200, { 'retry-after': '60' }));
    await ask();
    clock.nowMs += 20_000;
    assert.equal(
      await ask(),
      'Cannot list the tags of "ghcr.io/acme/web": "ghcr.io" asks to wait 40 s more, at most 10 s were wanted',
    );
    assert.equal(load.sent, 1);
    clock.nowMs += 40_000;
    assert.equal(await ask(), '200');
  });

  it('makes no long rest out of a short one where the clock is set back', async () => {
    const { ask, clock, load } = prepare((sent) => answered(sent === 1 ? 429 : 200, { 'retry-after': '5' }));
    clock.nowMs = 1_700_000_000_000;
    assert.equal(await ask(), '429');
    clock.nowMs -= 48 * 3_600_000;
    assert.deepEqual([await ask(), load.sent], ['200', 2]);
  });

  it('believes no rest longer than an hour', async () => {
    const { ask, clock } = prepare((sent) => answered(sent === 1 ? 429 : 200, { 'retry-after': '99999999' }));
    await ask();
    clock.nowMs += 3_600_000;
    assert.equal(await ask(), '200');
  });

  it('does not take a rest that one host asks for as another one’s', async () => {
    const { ask, waits } = prepare((sent) => answered(sent === 1 ? 429 : 200, { 'retry-after': '4' }));
    await ask();
    await ask({ url: new URL('https://auth.ghcr.io/token') });
    assert.deepEqual(waits, []);
  });

  it('halves what it sends at a time when told that it is too much, and grows again slowly', async () => {
    const { ask, askMany, load } = prepare((sent) => answered(sent === 1 ? 429 : 200));
    await ask();
    load.most = 0;
    await askMany(12);
    assert.equal(load.most, 4);
    await askMany(200);
    assert.equal(load.most, 8);
  });

  it('takes a burst of refusals for one', async () => {
    const { askMany, load } = prepare((sent) => answered(sent <= 8 ? 429 : 200));
    await askMany(8);
    load.most = 0;
    await askMany(12);
    assert.equal(load.most, 4);
  });

  it('asks a host that is down no more, then once, and goes on when it is back', async () => {
    let down = true;
    const { ask, askMany, clock, load } = prepare(() => (down ? silent : answered(200)));
    for (let tries = 0; tries < 6; tries += 1) await ask();
    assert.match(await ask(), /"ghcr\.io" failed again and again \(.*\), it is asked again in 15 s$/);
    assert.equal(load.sent, 6);
    clock.nowMs += 15_000;
    const results = await askMany(20);
    assert.equal(load.sent, 7, 'one of the twenty went to see');
    assert.equal(results.filter((text) => text.includes('asked again in 30 s')).length, 19);
    down = false;
    clock.nowMs += 30_000;
    assert.deepEqual(new Set(await askMany(20)), new Set(['200']));
    assert.equal(load.sent, 27);
  });

  it('tells once what a burst of refusals asks for, and each time a host is found down', async () => {
    const throttled = prepare((sent) => answered(sent <= 8 ? 429 : 200, { 'retry-after': '4' }));
    await throttled.askMany(8);
    await throttled.ask();
    assert.deepEqual(throttled.troubles, ['ghcr.io throttled 4000']);
    const down = prepare(() => silent);
    for (let tries = 0; tries < 9; tries += 1) await down.ask();
    down.clock.nowMs += 15_000;
    await down.ask();
    assert.deepEqual(down.troubles, ['ghcr.io circuit-open 15000', 'ghcr.io circuit-open 30000']);
  });

  it('takes a server error for one repository’s own', async () => {
    const { ask, load } = prepare(() => answered(500));
    for (let tries = 0; tries < 30; tries += 1) await ask();
    assert.equal(load.sent, 30);
  });

  it('takes a gateway with nothing behind it for down once it says so of ten repositories', async () => {
    const { ask, load } = prepare(() => answered(502));
    for (let tries = 0; tries < 30; tries += 1) await ask({ task: `list ${tries % 5}` });
    assert.equal(load.sent, 30, 'five are five repositories’ own');
    for (let tries = 0; tries < 30; tries += 1) await ask({ task: `list ${tries}` });
    assert.ok(load.sent <= 42, `${load.sent} requests`);
    assert.match(await ask(), /\(it answers 502\), it is asked again/);
  });

  it('takes no other’s failures for the host’s, nor those that no other try would better', async () => {
    const elsewhere: Exchange = { ...silent, origin: 'https://blobs.example' };
    const hopeless: Exchange = { ...silent, transient: false };
    for (const outcome of [elsewhere, hopeless]) {
      const { ask, load } = prepare(() => outcome);
      for (let tries = 0; tries < 30; tries += 1) await ask();
      assert.equal(load.sent, 30);
    }
  });

  it('counts callers that could wait no longer for this request, and no others', async () => {
    const late = new TallymanError('RegistryUnavailable', 'Cannot go: there was no answer within 30 s');
    const rows: [reason: Error, waitedMs: number, found: RegExp][] = [
      [late, 30_000, /failed again and again/],
      [late, 150, /^200$/],
      [new Error('stopped'), 30_000, /^200$/],
    ];
    for (const [reason, waitedMs, found] of rows) {
      const { ask, clock } = prepare((sent) => {
        if (sent > 6) return answered(200);
        clock.nowMs += waitedMs;
        throw reason;
      });
      for (let tries = 0; tries < 6; tries += 1) await assert.rejects(ask(), reason);
      assert.match(await ask(), found);
    }
  });

  it('takes many failures at the same time for one outage', async () => {
    const { ask, askMany } = prepare(() => silent);
    await askMany(8);
    assert.match(await ask(), /asked again in 15 s/);
  });

  const few = { 'ratelimit-remaining': '10;w=21600', 'ratelimit-limit': '100;w=21600' };

  it('stops pulling before the budget is used up, and goes on looking', async () => {
    const { ask, clock, budgets, load } = prepare((sent) => answered(200, sent <= 2 ? few : {}));
    await ask({ isPull: true });
    assert.equal(
      await ask({ isPull: true }),
      'Cannot list the tags of "ghcr.io/acme/web": "ghcr.io" says that 10 of 100 pulls are left, more than 10 were wanted',
    );
    assert.equal(await ask(), '200');
    assert.deepEqual(budgets, ['ghcr.io 10/100', 'ghcr.io 10/100']);
    clock.nowMs += 21_600_000;
    assert.equal(await ask({ isPull: true }), '200');
    assert.equal(load.sent, 4);
  });

  it('pulls what HEAD says is not limited, or no longer', async () => {
    for (const headers of [{}, { 'ratelimit-remaining': '99;w=21600' }]) {
      const { ask, load } = prepare((sent) => answered(200, sent === 1 ? few : headers));
      await ask({ isPull: true });
      assert.equal(await ask({ isPull: true }), '200');
      assert.equal(load.sent, 3);
    }
  });

  it('counts each account’s pulls on their own', async () => {
    const { ask } = prepare(() => answered(200, few));
    await ask({ isPull: true });
    const host = resolveRegistryHost('ghcr.io', {}, { username: 'paid', password: 'p' });
    assert.equal(await ask({ isPull: true, host }), '200');
    assert.match(await ask({ isPull: true }), /pulls are left/);
  });

  it('gives back the slot of a caller that leaves, and bears a clock that is set back', async () => {
    const { ask, clock, waits } = prepare(() => answered(200), { requestsPerSecond: 0.2 });
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await ask();
    for (let tries = 0; tries < 20; tries += 1) await assert.rejects(ask({ signal: controller.signal }), /enough/);
    await ask();
    clock.nowMs -= 3_600_000;
    await ask();
    assert.ok(
      waits.every((waitMs) => waitMs <= 5000),
      `${waits}`,
    );
  });

  it('lets a caller leave who waits for a place, for a pause or for the one that goes to see', async () => {
    const { ask, clock } = prepare(() => silent);
    for (let tries = 0; tries < 6; tries += 1) await ask();
    clock.nowMs += 15_000;
    const controller = new AbortController();
    const seeing = ask();
    const waiting = ask({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await seeing;
  });
});
