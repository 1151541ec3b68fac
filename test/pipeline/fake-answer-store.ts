/** Shared answers in memory, which may be away. */
import type { AnswerStore, SharedAnswer } from '../../src/pipeline/job-ports.ts';
import type { Clock } from '../../src/pipeline/ports.ts';

type Whole = SharedAnswer & { readonly value: string };

export interface FakeAnswerStore extends AnswerStore {
  isAway: boolean;
  /** By name: what others may have written there. */
  readonly answers: Map<string, Whole>;
  /** `read 2`, `values 1`: calls, with how many names each had. */
  readonly calls: string[];
}

/** Its clock is so far ahead of the other. */
export function fakeAnswerStore(clock: Pick<Clock, 'nowMs'>, aheadMs = 0): FakeAnswerStore {
  const answers = new Map<string, Whole>();
  const used = new Map<string, number>();
  const more = new Map<string, number>();
  const expected = new Map<string, number>();
  const repositories = new Set<string>();
  const nowMs = () => clock.nowMs() + aheadMs;
  const store: FakeAnswerStore = {
    isAway: false,
    answers,
    calls: [],
    async read(questions) {
      store.calls.push(`read ${questions.length}`);
      if (store.isAway) return undefined;
      for (const { name, repository, use } of questions) {
        if (use !== 'none') repositories.add(repository);
        if (use !== 'none') used.set(name, nowMs());
        if (use === 'more') more.set(name, nowMs());
      }
      const ageOf = (times: ReadonlyMap<string, number>, name: string) => nowMs() - (times.get(name) ?? -Infinity);
      const states = questions.map(({ name, repository }) => {
        const { value: _, ...answer } = answers.get(name) ?? { order: '' };
        return {
          answer: 'state' in answer ? answer : undefined,
          expectations: expected.get(repository) ?? 0,
          usedAgeMs: ageOf(used, name),
          moreAgeMs: ageOf(more, name),
        };
      });
      return { nowMs: nowMs(), states };
    },
    async readValues(names) {
      store.calls.push(`values ${names.length}`);
      if (store.isAway) return undefined;
      return names.map((name) => (answers.get(name)?.version === '' ? undefined : answers.get(name)));
    },
    async write(name, { over, ...answer }) {
      const known = answers.get(name);
      if (store.isAway || (known !== undefined && known.order > answer.order && known.order !== over)) return;
      answers.set(name, answer);
    },
    async expect(concerns) {
      if (store.isAway) return undefined;
      const concerned = [...repositories].filter(concerns);
      for (const repository of concerned)
        expected.set(repository, Math.max(1 + (expected.get(repository) ?? 0), 1000 * nowMs()));
      return concerned;
    },
  };
  return store;
}
