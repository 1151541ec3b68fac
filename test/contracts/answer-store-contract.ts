/** What every store of shared answers must do; run against Redis, and the one in memory of the other tests. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnswerStore, SharedQuestion } from '../../src/pipeline/job-ports.ts';

const { signal } = new AbortController();
const orderOf = (turn: number): string => String(turn).padStart(16, '0');
const answerOf = (turn: number, value: string) => ({
  order: orderOf(turn),
  state: `state ${turn}`,
  version: value === '' ? '' : `version of ${value}`,
  value,
});

/** Declares the tests; each takes a repository of its own. */
export function testAnswerStore(kind: string, storeOf: () => { store: AnswerStore; other: AnswerStore }): void {
  let count = 0;
  const nextQuestion = (use: SharedQuestion['use'] = 'none'): SharedQuestion => {
    count += 1;
    const repository = `ghcr.io/acme/web-${count}`;
    return { name: `tags ${repository}`, repository, use };
  };
  const readOne = async (store: AnswerStore, question: SharedQuestion) => {
    const read = await store.read([question], { signal });
    assert.equal(read?.states.length, 1);
    return read.states[0];
  };

  describe(`answer store contract: ${kind}`, () => {
    it('knows nothing at first', async () => {
      const { store } = storeOf();
      const question = nextQuestion();
      const nothing = { answer: undefined, expectations: 0, usedAgeMs: Infinity, moreAgeMs: Infinity };
      assert.deepEqual(await readOne(store, question), nothing);
      assert.deepEqual(await store.readValues([question.name], { signal }), [undefined]);
    });

    it('gives others what was written, each in its place', async () => {
      const { store, other } = storeOf();
      const [first, second, third] = [nextQuestion(), nextQuestion(), nextQuestion()];
      await store.write(first.name, answerOf(1, 'a'), { signal });
      await store.write(third.name, answerOf(2, 'c'), { signal });
      const read = await other.read([first, second, third], { signal });
      const { value: _, ...told } = answerOf(1, 'a');
      assert.deepEqual(
        read?.states.map(({ answer }) => answer?.order),
        [orderOf(1), undefined, orderOf(2)],
      );
      assert.deepEqual(read?.states[0]?.answer, told);
      const names = [third, second, first].map(({ name }) => name);
      const values = await other.readValues(names, { signal });
      assert.deepEqual(values, [answerOf(2, 'c'), undefined, answerOf(1, 'a')]);
    });

    it('keeps the newer, in whatever order they come, and the value where a failure follows', async () => {
      const { store, other } = storeOf();
      const question = nextQuestion();
      for (const [turn, value, wanted] of [
        [5, 'b', answerOf(5, 'b')],
        [4, 'a', answerOf(5, 'b')],
        [6, 'b', answerOf(6, 'b')],
        [7, 'c', answerOf(7, 'c')],
        [7, 'd', answerOf(7, 'd')],
      ] as const) {
        await store.write(question.name, answerOf(turn, value), { signal });
        assert.deepEqual(await other.readValues([question.name], { signal }), [wanted]);
      }
    });

    it('keeps a first failure, which has no value', async () => {
      const { store, other } = storeOf();
      const question = nextQuestion();
      await store.write(question.name, answerOf(1, ''), { signal });
      assert.equal((await readOne(other, question))?.answer?.state, 'state 1');
      assert.deepEqual(await other.readValues([question.name], { signal }), [undefined]);
    });

    it('replaces what is newer where that very one is named', async () => {
      const { store } = storeOf();
      const question = nextQuestion();
      await store.write(question.name, { ...answerOf(9, 'odd'), order: 'odd' }, { signal });
      for (const [over, wanted] of [
        ['other', 'odd'],
        ['odd', orderOf(1)],
      ] as const) {
        await store.write(question.name, { ...answerOf(1, 'a'), over }, { signal });
        assert.equal((await readOne(store, question))?.answer?.order, wanted);
      }
    });

    it('tells when somebody wanted it, and all of it', async () => {
      const { store, other } = storeOf();
      const question = nextQuestion();
      await readOne(store, { ...question, use: 'some' });
      const used = await readOne(other, question);
      assert.ok(used !== undefined && used.usedAgeMs < 60_000 && used.moreAgeMs === Infinity);
      await readOne(store, { ...question, use: 'more' });
      assert.ok(((await readOne(other, question))?.moreAgeMs ?? Infinity) < 60_000);
    });

    it('has what is expected rise, of those that somebody wanted', async () => {
      const { store, other } = storeOf();
      const [wanted, unwanted] = [nextQuestion('some'), nextQuestion()];
      await store.read([wanted, unwanted], { signal });
      const concerns = (name: string) => [wanted, unwanted].some(({ repository }) => repository === name);
      let last = 0;
      for (let time = 0; time < 3; time += 1) {
        assert.deepEqual(await other.expect(concerns, { signal }), [wanted.repository]);
        const { expectations = 0 } = (await readOne(store, { ...wanted, use: 'none' })) ?? {};
        assert.ok(expectations > last);
        last = expectations;
      }
      assert.equal((await readOne(store, unwanted))?.expectations, 0);
      assert.deepEqual(await other.expect(() => false, { signal }), []);
    });

    it('takes more names than go at a time', async () => {
      const { store } = storeOf();
      const questions = Array.from({ length: 1201 }, () => nextQuestion());
      const last = questions.at(-1);
      assert.ok(last);
      await store.write(last.name, answerOf(1, 'z'), { signal });
      const read = await store.read(questions, { signal });
      assert.deepEqual([read?.states.length, read?.states.at(-1)?.answer?.order], [1201, orderOf(1)]);
      const values = await store.readValues(
        questions.map(({ name }) => name),
        { signal },
      );
      assert.deepEqual([values?.length, values?.at(-1)?.value], [1201, 'z']);
    });
  });
}
