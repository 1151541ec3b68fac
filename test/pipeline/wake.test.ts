import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWake } from '../../src/pipeline/wake.ts';
import { handClock } from './fake-registry.ts';

/** Sleeps that end by their signal alone; their number. */
function sleeper() {
  const slept: number[] = [];
  const clock = {
    sleep: (ms: number, { signal }: { signal: AbortSignal }) => {
      slept.push(ms);
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
  return { clock, slept };
}

describe('createWake', () => {
  it('ends the pause under way', async () => {
    const wake = createWake();
    const { clock, slept } = sleeper();
    const pause = wake.pause(1000, { clock, signal: new AbortController().signal });
    wake.wake();
    await pause;
    assert.deepEqual(slept, [1000]);
  });

  it('ends one pause, however often it is woken before it', async () => {
    const wake = createWake();
    const { clock, slept } = sleeper();
    const { signal } = new AbortController();
    for (let times = 0; times < 5; times += 1) wake.wake();
    await wake.pause(1, { clock, signal });
    assert.deepEqual(slept, []);
    const second = wake.pause(2, { clock, signal });
    assert.deepEqual(slept, [2]);
    wake.wake();
    wake.wake();
    await second;
    const third = wake.pause(3, { clock, signal });
    assert.deepEqual(slept, [2, 3]);
    wake.wake();
    await third;
  });

  it('waits for more once woken, from the first time on, and not where nobody woke it', async () => {
    const wake = createWake({ batchMs: 200 });
    const clock = handClock();
    const { signal } = new AbortController();
    let ended = 0;
    const pause = async () => {
      await wake.pause(1000, { clock, signal });
      ended += 1;
    };
    const pass = async (ms: number) => {
      clock.pass(ms);
      await new Promise(setImmediate);
    };
    const first = pause();
    wake.wake();
    await pass(0);
    await pass(199);
    wake.wake();
    assert.equal(ended, 0);
    await pass(1);
    assert.equal(ended, 1);
    const second = pause();
    await pass(999);
    assert.equal(ended, 1);
    await pass(1);
    assert.equal(ended, 2);
    await Promise.all([first, second]);
    assert.equal(clock.sleepers, 0);
  });

  it('waits for more also where it was woken before the pause, and ends with the signal', async () => {
    const wake = createWake({ batchMs: 200 });
    const clock = handClock();
    const abort = new AbortController();
    wake.wake();
    const pause = wake.pause(1000, { clock, signal: abort.signal });
    await new Promise(setImmediate);
    assert.equal(clock.sleepers, 1);
    abort.abort();
    await pause;
    assert.equal(clock.sleepers, 0);
  });

  it('ends with the signal, also with one that came before', async () => {
    const wake = createWake();
    const { clock, slept } = sleeper();
    const abort = new AbortController();
    const pause = wake.pause(1, { clock, signal: abort.signal });
    abort.abort();
    await pause;
    await wake.pause(2, { clock, signal: abort.signal });
    assert.deepEqual(slept, [1]);
  });
});
