/** Answers that workers share: what others learned is taken over, and what was learned here is told. */
import { createHash } from 'node:crypto';
import { formatCanonical } from '../image/reference.ts';
import type { AnswerStore, SharedAnswer, SharedQuestion } from './job-ports.ts';
import { isNewer, type KeptAnswers, type Learned, type Topic } from './kept-answers.ts';
import type { Clock } from './ports.ts';
import { formatOrder, readLearned, writeLearned } from './write-learned.ts';

/** Both reject with the signal's reason alone: where the others cannot be asked, what is known here counts. */
export interface AnswerShare {
  /** Takes over what others know better; `wanted`: tells them that somebody wants it. */
  meet(topic: Topic, options: { readonly wanted: boolean }): Promise<void>;
  /** Tells others what is known here; once it resolves they have it. */
  tell(topic: Topic): Promise<void>;
}

export interface ShareOptions<Value> {
  readonly store: AnswerStore;
  /** Names of one kind are those of no other. */
  readonly kind: string;
  readonly write: (value: Value) => string;
  /** Undefined where the text was not written so. */
  readonly read: (text: string) => Value | undefined;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly signal: AbortSignal;
}

type Known<Value> = Learned & { readonly value: Value | undefined };

/** What is longer each worker asks for itself: a million tags. */
const maxValueChars = 16_000_000;

export function shareAnswers<Value extends object>(
  kept: Pick<KeptAnswers<Value>, 'tell' | 'takeOver'>,
  { store, kind, write, read, clock, signal }: ShareOptions<Value>,
): AnswerShare {
  const versions = new WeakMap<Value, string>();
  /** Of the store's clock to ours: times are told by it. */
  let aheadMs = 0;
  const askState = gather(async (questions: readonly SharedQuestion[]) => {
    const found = await store.read(questions, { signal });
    if (found !== undefined) aheadMs = found.nowMs - clock.nowMs();
    return found?.states;
  });
  const askWhole = gather((names: readonly string[]) => store.readValues(names, { signal }));
  const nameOf = ({ name }: Topic): string => `${kind} ${name}`;

  function versionOf(value: Value): string {
    const version = versions.get(value) ?? hash(write(value));
    versions.set(value, version);
    return version;
  }

  /** Undefined where it is gone, or nothing that workers write. */
  async function fetchNewer(topic: Topic, known: Known<Value>, found: SharedAnswer): Promise<Known<Value> | undefined> {
    const learned = readLearned(found, -aheadMs);
    if (learned === undefined || learned.turn === 0) return learned && { ...learned, value: undefined };
    const { value } = known;
    if (value !== undefined && versionOf(value) === found.version) return { ...learned, value };
    const whole = await askWhole(nameOf(topic));
    const newest = whole && readLearned(whole, -aheadMs);
    const text = whole?.value ?? '';
    const fetched = newest !== undefined && hash(text) === whole?.version ? read(text) : undefined;
    if (newest === undefined || fetched === undefined) return undefined;
    versions.set(fetched, hash(text));
    return { ...newest, value: fetched };
  }

  async function tell(topic: Topic, over?: string): Promise<void> {
    const { value, ...learned } = kept.tell(topic);
    const text = value === undefined ? '' : write(value);
    if (learned.lastTurn === 0 || text.length > maxValueChars) return;
    const version = value === undefined ? '' : versionOf(value);
    const answer = { order: formatOrder(learned), state: writeLearned(learned, aheadMs), version, value: text };
    await store.write(nameOf(topic), { ...answer, over }, { signal });
  }

  return {
    async meet(topic, { wanted }) {
      const use = wanted ? (topic.more ? 'more' : 'some') : 'none';
      const found = await askState({ name: nameOf(topic), repository: formatCanonical(topic.repository), use });
      if (found === undefined) return;
      const { answer, expectations, usedAgeMs, moreAgeMs } = found;
      const known = kept.tell(topic);
      const isBehind = answer !== undefined && answer.order > formatOrder(known);
      const learned = isBehind ? await fetchNewer(topic, known, answer) : undefined;
      const nowMs = clock.nowMs();
      kept.takeOver(topic, {
        learned,
        expectations,
        usedMs: nowMs - usedAgeMs,
        moreWantedMs: nowMs - moreAgeMs,
        aheadMs,
      });
      // They lost it, or never had it, or what they have is of no use.
      const lacksOurs = answer?.order !== formatOrder(known) && (learned === undefined || isNewer(known, learned));
      if (lacksOurs) await tell(topic, isBehind ? answer.order : undefined);
    },
    tell: (topic) => tell(topic),
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Asks in one go for all who ask in the same turn of the event loop. */
function gather<Question, Found>(
  ask: (questions: readonly Question[]) => Promise<readonly Found[] | undefined>,
): (question: Question) => Promise<Found | undefined> {
  let open: { readonly questions: Question[]; readonly found: Promise<readonly Found[] | undefined> } | undefined;
  function begin() {
    const questions: Question[] = [];
    const found = Promise.resolve().then(() => {
      open = undefined;
      return ask(questions);
    });
    open = { questions, found };
    return open;
  }
  return async (question) => {
    const { questions, found } = open ?? begin();
    const index = questions.push(question) - 1;
    return (await found)?.[index];
  };
}
