import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { createCallSharer } from '../../src/pipeline/share-calls.ts';

function pendingCall() {
  const started: AbortSignal[] = [];
  const settle: { resolve(value: string): void; reject(error: unknown): void }[] = [];
  const start = (signal: AbortSignal) => {
    started.push(signal);
    return new Promise<string>((resolve, reject) => {
      settle.push({ resolve, reject });
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { started, settle, start };
}

describe('createCallSharer', () => {
  it('gives one result to all who ask at the same time, and asks anew afterwards', async () => {
    const share = createCallSharer<string>();
    const { started, settle, start } = pendingCall();
    const { signal } = new AbortController();
    const calls = [share('a', signal, start), share('a', signal, start), share('b', signal, start)];
    assert.equal(started.length, 2);
    for (const [index, { resolve }] of settle.entries()) resolve(`answer ${index}`);
    assert.deepEqual(await Promise.all(calls), ['answer 0', 'answer 0', 'answer 1']);
    void share('a', signal, start);
    assert.equal(started.length, 3);
  });

  it('gives a failure to all', async () => {
    const share = createCallSharer<string>();
    const { settle, start } = pendingCall();
    const { signal } = new AbortController();
    const calls = [share('a', signal, start), share('a', signal, start)];
    settle[0]?.reject(new Error('no'));
    for (const call of calls) await assert.rejects(call, /no/);
  });

  it('goes on for the other where one of two callers goes', async () => {
    const share = createCallSharer<string>();
    const { started, settle, start } = pendingCall();
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [share('a', first.signal, start), share('a', second.signal, start)];
    first.abort(new Error('first left'));
    await assert.rejects(Promise.resolve(calls[0]), /first left/);
    assert.equal(started[0]?.aborted, false);
    settle[0]?.resolve('answer');
    assert.equal(await calls[1], 'answer');
    assert.equal(getEventListeners(second.signal, 'abort').length, 0);
  });

  it('aborts the call once nobody waits, and starts anew for who comes then', async () => {
    const share = createCallSharer<string>();
    const { started, settle, start } = pendingCall();
    const gone = new AbortController();
    const calls = [share('a', gone.signal, start), share('a', gone.signal, start)];
    gone.abort(new Error('all left'));
    for (const call of calls) await assert.rejects(call, /all left/);
    assert.equal(started[0]?.aborted, true);
    const next = share('a', new AbortController().signal, start);
    assert.equal(started.length, 2);
    settle[1]?.resolve('answer');
    assert.equal(await next, 'answer');
  });

  it('starts nothing for a caller that is gone already', async () => {
    const { started, start } = pendingCall();
    await assert.rejects(createCallSharer<string>()('a', AbortSignal.abort(new Error('gone')), start), /gone/);
    assert.equal(started.length, 0);
  });
});
