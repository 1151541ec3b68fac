/** Asks a registry once for all who ask the same, now and until the answer is due again. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { Answer } from './answer.ts';
import { type AskedTopic, createKeptAnswers, type KeptAnswers, type OnLook, type Topic } from './kept-answers.ts';
import type { LookIntervals } from './plan-next-look.ts';
import type { Clock } from './ports.ts';
import { createQueueByHost } from './queue-by-host.ts';
import type { AnswerShare } from './share-answers.ts';

/** Questions of one kind. */
export interface Looks<Question, Value> {
  /**
   * What is known, from the registry where it is time. An answer that is long in coming is not waited for: it counts for
   * who asks later. Rejects only once the looks are ended.
   */
  look(question: Question): Promise<Answer<Value>>;
  /** Asks the registry where it is time; when it is time again, in milliseconds since 1970, or undefined where nobody wants the answer any more. */
  refresh(question: Question): Promise<number | undefined>;
  listWanted: KeptAnswers<Value>['listWanted'];
  expect: KeptAnswers<Value>['expect'];
}

/** How questions of that kind are asked. */
export interface LookKind<Question, Value> {
  readonly topicOf: (question: Question) => Topic;
  /** `more` also where others want more. */
  readonly ask: (question: Question, options: { more: boolean; signal: AbortSignal }) => Promise<Value>;
  readonly isSame: (a: Value, b: Value) => boolean;
  /** How answers are shared with other workers; absent: not at all. */
  readonly share?: ((kept: KeptAnswers<Value>) => AnswerShare) | undefined;
}

export interface LookOptions extends LookIntervals {
  readonly clock: Clock;
  /** Looks at one host under way at the same time. */
  readonly concurrency: number;
  /** Longest that anybody waits for one look, which then goes on by itself; undefined: until it ends. */
  readonly patienceMs?: number | undefined;
  /** Whether `refresh` is called for all that was looked at: then who looks asks only for what is not known, or long due. */
  readonly refreshed?: boolean | undefined;
  /** Called where the registry's answer about a topic has changed. */
  readonly onChange?: ((topic: Topic) => void) | undefined;
  /** Called after each look at the registry that counts. */
  readonly onLook?: OnLook | undefined;
  /** Ends all looks. */
  readonly signal: AbortSignal;
}

/** Nothing is known at first; with intervals of 0 every look asks. */
export function createLooks<Question, Value>(
  { topicOf, ask, isSame, share }: LookKind<Question, Value>,
  { clock, concurrency, patienceMs, refreshed = false, onChange, onLook, signal, ...intervals }: LookOptions,
): Looks<Question, Value> {
  const kept = createKeptAnswers<Value>({ ...intervals, clock, isSame, onLook });
  const others = share?.(kept);
  const spareMs = refreshed ? 2 * intervals.intervalMs : 0;
  const queue = createQueueByHost(concurrency);
  /** By name; undefined comes where patience is over. */
  const calls = new Map<string, Promise<Answer<Value> | undefined>>();

  async function find(question: Question, { more }: AskedTopic): Promise<Answer<Value>> {
    signal.throwIfAborted();
    try {
      return { value: await ask(question, { more, signal }) };
    } catch (error) {
      // That says nothing about the registry.
      signal.throwIfAborted();
      return { error };
    }
  }

  async function lookNow(question: Question, asked: AskedTopic): Promise<Answer<Value>> {
    const { answer, isNews } = kept.learn(asked, await find(question, asked));
    // Before the change is told: who acts on it may be another worker.
    await others?.tell(asked);
    if (isNews) onChange?.(asked);
    return answer;
  }

  function begin(name: string, question: Question, asked: AskedTopic): Promise<Answer<Value> | undefined> {
    const look = queue(asked.repository.host, () => lookNow(question, asked));
    const call = patienceMs === undefined ? look : waitFor(look, patienceMs, clock);
    calls.set(name, call);
    if (onChange !== undefined) tellLate(call, look, () => onChange(asked));
    // Ended when nobody waits any more.
    look.finally(() => calls.delete(name)).catch(() => {});
    return call;
  }

  function join(question: Question, topic: Topic): Promise<Answer<Value> | undefined> {
    const asked = kept.widen(topic);
    // Who expects something new joins no look that began before.
    const name = `${asked.name} ${asked.more} ${asked.expectations}`;
    return calls.get(name) ?? begin(name, question, asked);
  }

  return {
    listWanted: kept.listWanted,
    expect: kept.expect,
    async look(question) {
      const topic = topicOf(question);
      if (others !== undefined) await others.meet(topic, { wanted: true });
      const known = kept.recall(topic, { spareMs });
      if (known !== undefined) return known;
      return (await join(question, topic)) ?? kept.makeDo(topic, describeWait(topic, patienceMs));
    },
    async refresh(question) {
      const topic = topicOf(question);
      if (others !== undefined) await others.meet(topic, { wanted: false });
      const dueMs = kept.findDueMs(topic);
      if (dueMs === undefined || dueMs > clock.nowMs()) return dueMs;
      await join(question, topic);
      return kept.findDueMs(topic);
    },
  };
}

/** Calls where the look ends after nobody waited for it any more. */
function tellLate(call: Promise<unknown>, look: Promise<unknown>, tell: () => void): void {
  const wait = async () => {
    if ((await call) === undefined) await look.then(tell);
  };
  wait().catch(() => {});
}

/** The result, or undefined where it is not there after the time. */
async function waitFor<Value>(
  result: Promise<Value>,
  waitMs: number,
  clock: Pick<Clock, 'sleep'>,
): Promise<Value | undefined> {
  const done = new AbortController();
  try {
    return await Promise.race([result, clock.sleep(waitMs, { signal: done.signal }).then(() => undefined)]);
  } finally {
    done.abort();
  }
}

function describeWait({ name }: Topic, patienceMs = 0): TallymanError {
  const found = `it is still being looked at after ${patienceMs / 1000} s, an answer was wanted by then`;
  const remedy =
    'Nothing to do: the answer counts as soon as it is there. If that lasts, check that the registry host is reachable from here, or raise timeoutSeconds.';
  return new TallymanError('RegistryUnavailable', `Cannot look up image "${name}": ${found}`, { remedy });
}
