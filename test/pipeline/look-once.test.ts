import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer } from '../../src/pipeline/answer.ts';
import { createLooks, type LookOptions } from '../../src/pipeline/look-once.ts';
import { describeAnswer, handClock, unavailable } from './fake-registry.ts';

const second = 1000;
const minute = 60 * second;
const repository = { host: 'ghcr.io', path: 'acme/web' };
const settle = () => new Promise(setImmediate);

interface Question {
  readonly name: string;
  readonly more?: boolean;
}

/** Looks whose answers tests give, one after the other. */
function open(options: Partial<LookOptions> = {}) {
  const clock = handClock();
  const end = new AbortController();
  const asked: string[] = [];
  const open: { resolve(value: string): void; reject(error: unknown): void }[] = [];
  const looks = createLooks<Question, string>(
    {
      topicOf: ({ name, more = false }) => ({ name, repository, more }),
      ask: ({ name }, { more, signal }) => {
        asked.push(more ? `${name} more` : name);
        return new Promise((resolve, reject) => {
          open.push({ resolve, reject });
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
      isSame: (a, b) => a === b,
    },
    {
      intervalMs: minute,
      maxIntervalMs: 5 * minute,
      patienceMs: 30 * second,
      concurrency: 8,
      clock,
      signal: end.signal,
      ...options,
    },
  );
  /** Of those open, in the order in which they began. */
  const answerAt = async (index: number, value: string | Error) => {
    const [call] = open.splice(index, 1);
    if (typeof value === 'string') call?.resolve(value);
    else call?.reject(value);
    await settle();
  };
  const answer = (value: string | Error) => answerAt(0, value);
  return { looks, clock, end, asked, answer, answerAt };
}

const waiting = /^RegistryUnavailable Cannot look up image "web": it is still being looked at after 30 s/;
const isWaiting = (answer: Answer<string>) => assert.match(describeAnswer(answer), waiting);

describe('createLooks', () => {
  it('asks once for all who come at the same time, and not again until it is due', async () => {
    const { looks, clock, asked, answer } = open();
    const both = [looks.look({ name: 'web' }), looks.look({ name: 'web' })];
    await answer('1.0.0');
    assert.deepEqual((await Promise.all(both)).map(describeAnswer), ['1.0.0', '1.0.0']);
    clock.pass(45 * second);
    assert.equal(describeAnswer(await looks.look({ name: 'web' })), '1.0.0');
    assert.deepEqual(asked, ['web']);
    clock.pass(15 * second);
    void looks.look({ name: 'web' });
    assert.equal(asked.length, 2);
  });

  it('gives a failure to all who wait, and again until it is due', async () => {
    const { looks, asked, answer } = open();
    const both = [looks.look({ name: 'web' }), looks.look({ name: 'web' })];
    await answer(unavailable);
    for (const one of [...both, looks.look({ name: 'web' })]) assert.deepEqual(await one, { error: unavailable });
    assert.equal(asked.length, 1);
  });

  it('asks each time with intervals of 0, also after a failure', async () => {
    const { looks, asked, answer } = open({ intervalMs: 0, maxIntervalMs: 0, patienceMs: undefined });
    for (const value of ['1.0.0', unavailable, '1.0.0']) {
      void looks.look({ name: 'web' });
      await answer(value);
    }
    assert.equal(asked.length, 3);
  });

  it('asks so many at a time', async () => {
    const { looks, asked, answer } = open({ concurrency: 2 });
    for (const name of ['a', 'b', 'c']) void looks.look({ name });
    assert.deepEqual(asked, ['a', 'b']);
    await answer('1.0.0');
    assert.deepEqual(asked, ['a', 'b', 'c']);
  });

  it('ends with its signal: those who wait, and those whose turn has not come', async () => {
    const { looks, end, asked } = open({ concurrency: 1 });
    const all = ['a', 'b'].map((name) => looks.look({ name }));
    end.abort(new Error('stopped'));
    for (const one of all) await assert.rejects(one, /stopped/);
    assert.deepEqual(asked, ['a']);
  });

  it('ends with its signal where nobody waits any more', async () => {
    const { looks, clock, end } = open();
    const look = looks.look({ name: 'web' });
    clock.pass(30 * second);
    isWaiting(await look);
    end.abort(new Error('stopped'));
    await settle();
  });
});

describe('createLooks on answers that are long in coming', () => {
  it('waits no longer than patience, goes on, and has the answer for who comes next', async () => {
    const { looks, clock, asked, answer } = open();
    const look = looks.look({ name: 'web' });
    clock.pass(30 * second);
    isWaiting(await look);
    clock.pass(60 * second);
    isWaiting(await looks.look({ name: 'web' }));
    await answer('1.0.0');
    assert.equal(describeAnswer(await looks.look({ name: 'web' })), '1.0.0');
    assert.deepEqual(asked, ['web']);
  });

  it('counts the time in the queue too, and asks when the turn comes', async () => {
    const { looks, clock, asked, answer } = open({ concurrency: 1 });
    const both = [looks.look({ name: 'dead' }), looks.look({ name: 'web' })];
    clock.pass(30 * second);
    isWaiting((await Promise.all(both))[1] ?? { error: undefined });
    await answer(unavailable);
    await answer('1.0.0');
    assert.equal(describeAnswer(await looks.look({ name: 'web' })), '1.0.0');
    assert.deepEqual(asked, ['dead', 'web']);
  });

  it('waits for its end where no patience is set', async () => {
    const { looks, clock, answer } = open({ patienceMs: undefined });
    const look = looks.look({ name: 'web' });
    clock.pass(9 * minute);
    await answer('1.0.0');
    assert.equal(describeAnswer(await look), '1.0.0');
  });

  it('leaves no timer behind', async () => {
    const { looks, clock, answer } = open();
    void looks.look({ name: 'web' });
    assert.equal(clock.sleepers, 1);
    await answer('1.0.0');
    assert.equal(clock.sleepers, 0);
  });

  interface Row {
    /** Answers before, and the time since the last. */
    readonly before: readonly (string | Error)[];
    readonly ageMs: number;
    readonly more?: boolean;
    readonly gives: RegExp;
  }
  const rows: Record<string, Row> = {
    'the answer of a little ago, as it is': { before: ['1.0.0'], ageMs: 2 * minute, gives: /^1\.0\.0$/ },
    'an old answer, with that as its failure': {
      before: ['1.0.0'],
      ageMs: 11 * minute,
      gives: /^1\.0\.0, but RegistryUnavailable .* still being looked at/,
    },
    'an answer without what is wanted too, with that as its failure': {
      before: ['1.0.0'],
      ageMs: minute,
      more: true,
      gives: /^1\.0\.0, but RegistryUnavailable .* still being looked at/,
    },
    'the failure before': { before: [unavailable], ageMs: 2 * minute, gives: /^RegistryUnavailable Cannot reach it$/ },
    'an answer with the failure after it': {
      before: ['1.0.0', unavailable],
      ageMs: 2 * minute,
      gives: /^1\.0\.0, but RegistryUnavailable Cannot reach it$/,
    },
  };
  for (const [name, { before, ageMs, more = false, gives }] of Object.entries(rows)) {
    it(`makes do with ${name}`, async () => {
      const { looks, clock, answer } = open();
      for (const value of before) {
        clock.pass(minute);
        void looks.look({ name: 'web' });
        await answer(value);
      }
      clock.pass(ageMs - 30 * second);
      const look = looks.look({ name: 'web', more });
      clock.pass(30 * second);
      assert.match(describeAnswer(await look), gives);
    });
  }
});

describe('createLooks where something new is expected', () => {
  it('asks before it is due, and joins no look that began before', async () => {
    const { looks, asked, answer } = open();
    const early = looks.look({ name: 'web' });
    assert.deepEqual(
      looks.expect(({ path }) => path === 'acme/web'),
      [repository],
    );
    const late = looks.look({ name: 'web' });
    assert.equal(asked.length, 2);
    await answer('1.0.0');
    await answer('1.1.0');
    assert.deepEqual([await early, await late].map(describeAnswer), ['1.0.0', '1.1.0']);
  });

  interface LateRow {
    /** What the look that began first says last. */
    readonly late: string | Error;
    readonly firstMore?: boolean;
  }
  const lateRows: Record<string, LateRow> = {
    'an older listing': { late: '1.0.0' },
    'a failure': { late: unavailable },
    'a listing with more in it': { late: '1.0.0', firstMore: true },
  };
  for (const [name, { late, firstMore = false }] of Object.entries(lateRows)) {
    it(`keeps the newer answer where a look that began before ends later with ${name}`, async () => {
      const { looks, asked, answerAt } = open();
      const first = looks.look({ name: 'web', more: firstMore });
      looks.expect(() => true);
      const second = looks.look({ name: 'web' });
      await answerAt(1, '1.1.0');
      assert.equal(describeAnswer(await second), '1.1.0');
      await answerAt(0, late);
      assert.equal(describeAnswer(await first), '1.1.0');
      assert.equal(describeAnswer(await looks.look({ name: 'web' })), '1.1.0');
      assert.equal(asked.length, 2);
    });
  }

  it('takes an answer of a look that began before where the later one failed', async () => {
    const { looks, answerAt } = open();
    const first = looks.look({ name: 'web' });
    looks.expect(() => true);
    const second = looks.look({ name: 'web' });
    await answerAt(1, unavailable);
    assert.equal(describeAnswer(await second), 'RegistryUnavailable Cannot reach it');
    await answerAt(0, '1.0.0');
    assert.equal(describeAnswer(await first), '1.0.0');
  });

  it('takes the answer of a look that began later, in whatever order they end', async () => {
    const { looks, answerAt } = open();
    const first = looks.look({ name: 'web' });
    looks.expect(() => true);
    const second = looks.look({ name: 'web' });
    await answerAt(0, unavailable);
    assert.equal(describeAnswer(await first), 'RegistryUnavailable Cannot reach it');
    await answerAt(0, '1.1.0');
    assert.equal(describeAnswer(await second), '1.1.0');
  });
});
