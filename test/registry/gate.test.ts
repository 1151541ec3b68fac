import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { createGate } from '../../src/registry/gate.ts';

describe('createGate', () => {
  it('lets so many through for each key, in order, and goes on after a failure', async () => {
    const gate = createGate(() => 2);
    const { signal } = new AbortController();
    let inFlight = 0;
    let most = 0;
    const started: number[] = [];
    const work = (index: number) => async () => {
      started.push(index);
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise(setImmediate);
      inFlight -= 1;
      if (index === 1) throw new Error('one fails');
      return index;
    };
    const results = await Promise.allSettled(
      Array.from({ length: 7 }, (_, index) => gate.run('a', signal, work(index))),
    );
    assert.equal(most, 2);
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5, 6]);
    assert.equal(results.filter(({ status }) => status === 'rejected').length, 1);
  });

  it('has a hundred wait with one signal, and leaves nothing at it', async (t) => {
    const warnings: string[] = [];
    const warn = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', warn);
    t.after(() => process.off('warning', warn));
    const gate = createGate(() => 1);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 100 }, () => gate.run('a', signal, () => new Promise(setImmediate))));
    assert.deepEqual([warnings, getEventListeners(signal, 'abort').length], [[], 0]);
  });

  it('does not hold one key up for another', async () => {
    const gate = createGate(() => 1);
    const { signal } = new AbortController();
    let release = (): void => {};
    const held = gate.run('a', signal, () => new Promise<void>((resolve) => (release = resolve)));
    assert.equal(await gate.run('b', signal, async () => 'through'), 'through');
    release();
    await held;
  });

  it('lets a waiting caller leave, and keeps its place for the next', async () => {
    const gate = createGate(() => 1);
    const controller = new AbortController();
    let release = (): void => {};
    const held = gate.run('a', controller.signal, () => new Promise<void>((resolve) => (release = resolve)));
    const leaving = gate.run('a', controller.signal, async () => assert.fail('it has left'));
    const next = gate.run('a', new AbortController().signal, async () => 'through');
    controller.abort(new Error('enough'));
    await assert.rejects(leaving, /enough/);
    release();
    await held;
    assert.equal(await next, 'through');
  });

  it('lets more or fewer through when the limit changes', async () => {
    let limit = 3;
    const gate = createGate(() => limit);
    const { signal } = new AbortController();
    let inFlight = 0;
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        gate.run('a', signal, async () => {
          inFlight += 1;
          seen.push(inFlight);
          await new Promise(setImmediate);
          inFlight -= 1;
          if (index === 0) limit = 1;
          if (index === 5) limit = 2;
        }),
      ),
    );
    assert.deepEqual(seen, [1, 2, 3, 1, 1, 1, 1, 2, 2]);
  });
});
