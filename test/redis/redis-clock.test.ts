import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRedisClock } from '../../src/redis/redis-clock.ts';

const { signal } = new AbortController();
const hour = 3_600_000;

/** A Redis that tells the time that a test sets, and a worker beside it whose own clock passes as time does. */
function open() {
  const times = { redis: 1_700_000_000_123, own: 50_000 };
  const client = { time: async () => [Math.floor(times.redis / 1000), (times.redis % 1000) * 1000] };
  // The link has more, of which nothing is asked here.
  const ask = ((_task: unknown, command: (some: unknown) => unknown) => command(client)) as never;
  const tell = createRedisClock({ ask, keyPrefix: 'tallyman:' }, { nowMs: () => times.own });
  const pass = (ms: number) => {
    times.redis += ms;
    times.own += ms;
  };
  return { times, pass, tell: () => tell({ signal }) };
}

describe('the clock of Redis', () => {
  for (const setMs of [96 * hour, 60_001, -60_001, -96 * hour])
    it(`is not trusted after a jump of ${setMs} ms, until it is back`, async () => {
      const { times, pass, tell } = open();
      assert.equal(await tell(), 1_700_000_000_123);
      pass(hour);
      times.redis += setMs;
      const wanted = { code: 'LedgerUnavailable', message: setMs > 0 ? /jumped forward by/ : /jumped back by/ };
      for (let tries = 0; tries < 3; tries += 1) await assert.rejects(tell(), wanted);
      times.redis -= setMs;
      pass(hour);
      assert.equal(await tell(), times.redis);
    });

  it('may be set by a minute, and gain on the own one', async () => {
    const { times, pass, tell } = open();
    for (let look = 0; look < 100; look += 1) {
      assert.equal(await tell(), times.redis);
      pass(hour);
      times.redis += look % 2 === 0 ? 60_000 : -50_000;
    }
  });
});
