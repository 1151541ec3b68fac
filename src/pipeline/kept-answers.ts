/** What registries were last known to answer, and when they are asked again. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { ImageRepository } from '../image/reference.ts';
import type { Answer } from './answer.ts';
import {
  isLookDue,
  type LookIntervals,
  type LookOutcome,
  type LookState,
  neverLooked,
  planNextLook,
} from './plan-next-look.ts';
import type { Clock } from './ports.ts';

/** What is asked about. */
export interface Topic {
  /** Answers are kept by it. */
  readonly name: string;
  readonly repository: ImageRepository;
  /** Whether more is wanted than others may want who ask the same: push times. */
  readonly more: boolean;
  /** Only an answer that came at this time or later will do, in milliseconds since 1970; absent: any that is not due. */
  readonly notBeforeMs?: number | undefined;
}

/** As it is asked, with what was expected of the repository until then. */
export interface AskedTopic extends Topic {
  readonly expectations: number;
  /** The higher, the later it is asked. */
  readonly turn: number;
}

export interface KeptAnswers<Value> {
  /** What is known; undefined where the registry is to be asked. Within `spareMs` of its time somebody else is trusted to ask. */
  recall(topic: Topic, options: { spareMs: number }): Answer<Value> | undefined;
  /** When what is known is due again; undefined where nothing is known, or nobody but looks wanted it for an hour or more. */
  findDueMs(topic: Topic): number | undefined;
  /** What counts while the registry is being asked for long: what is known, with `waiting` as its failure where it is old. */
  makeDo(topic: Topic, waiting: TallymanError): Answer<Value>;
  /** The topic that serves all who ask about that name. */
  widen(topic: Topic): AskedTopic;
  /** Keeps what a look at the registry gave, unless one that began later has answered; what is known now. */
  learn(asked: AskedTopic, found: Answer<Value>): Answer<Value>;
  /** Those that somebody wants, with when the registry last answered, or where it never did when they were first asked for. */
  listWanted(): readonly WantedTopic[];
  /** Has the registry asked at the next look, also where one is under way that may have come too early; the repositories that this concerns. */
  expect(concerns: (repository: ImageRepository) => boolean): readonly ImageRepository[];
}

/** `{ name: 'ghcr.io/acme/web', sinceMs: 1700000000000 }` */
export interface WantedTopic {
  readonly name: string;
  readonly sinceMs: number;
}

/** What came of a look; `first`: there was no answer before. */
export type LookResult = LookOutcome | 'first';

export interface KeepOptions<Value> extends LookIntervals {
  readonly clock: Pick<Clock, 'nowMs' | 'random'>;
  readonly isSame: (a: Value, b: Value) => boolean;
  /** Called where a look gave something else than the one before it, a first look excepted. */
  readonly onChange?: ((topic: Topic) => void) | undefined;
  /** Called after each look that counts. */
  readonly onLook?: ((topic: Topic, result: LookResult) => void) | undefined;
}

/** Times in milliseconds since 1970. */
interface Kept<Value> {
  readonly repository: ImageRepository;
  /** How often something new was expected. */
  readonly expectations: number;
  readonly state: LookState;
  /** The last answer that was none of a failure, and when it came; before the first, when it was asked for. */
  readonly value: Value | undefined;
  readonly sinceMs: number;
  /** Of the look that gave it. */
  readonly turn: number;
  /** Whether that look asked for more: the registry may have told no more. */
  readonly full: boolean;
  /** What the last look failed with; counts where `state` has failures. */
  readonly error: unknown;
  readonly usedMs: number;
  /** When more was last wanted. */
  readonly moreWantedMs: number;
}

const nothing = {
  expectations: 0,
  state: neverLooked,
  value: undefined,
  sinceMs: 0,
  turn: 0,
  full: false,
  error: undefined,
  usedMs: 0,
  moreWantedMs: Number.NEGATIVE_INFINITY,
};

/** What nobody asked for in so long is dropped: twice the longest interval between passes. */
const forgetMs = 48 * 3_600_000;
const maxTopics = 50_000;
/** Who wants an answer asks for it at least so often, or every ten intervals. */
const wantedMs = 3_600_000;

/** Nothing is known at first. */
export function createKeptAnswers<Value>(options: KeepOptions<Value>): KeptAnswers<Value> {
  const { clock, isSame, onChange, onLook, ...intervals } = options;
  /** The longest unused first. */
  const kept = new Map<string, Kept<Value>>();
  let turns = 0;
  const find = ({ name, repository }: Topic): Kept<Value> =>
    kept.get(name) ?? { ...nothing, repository, sinceMs: clock.nowMs() };
  const isWanted = ({ usedMs }: Kept<Value>): boolean =>
    clock.nowMs() - usedMs <= Math.max(wantedMs, 10 * intervals.intervalMs);
  return {
    recall(topic, { spareMs }) {
      const nowMs = clock.nowMs();
      const known = find(topic);
      kept.delete(topic.name);
      kept.set(topic.name, { ...known, usedMs: nowMs, ...(topic.more && { moreWantedMs: nowMs }) });
      dropUnused(kept, nowMs);
      const isFailing = known.state.failures > 0;
      const lacksMore = topic.more && !known.full && !isFailing;
      const isBefore = known.sinceMs < (topic.notBeforeMs ?? 0) && !isFailing;
      const isDue = isLookDue(known.state, { ...intervals, nowMs }) && Math.abs(nowMs - known.state.dueMs) >= spareMs;
      return lacksMore || isBefore || isDue ? undefined : toAnswer(known);
    },
    findDueMs(topic) {
      const known = find(topic);
      return known.state === neverLooked || !isWanted(known) ? undefined : known.state.dueMs;
    },
    makeDo(topic, waiting) {
      const known = find(topic);
      if (known.state.failures > 0) return toAnswer(known);
      // A long look at each turn is no failure: the times between two looks add up to that.
      const isYoung =
        clock.nowMs() - known.sinceMs <= 2 * intervals.maxIntervalMs && known.sinceMs >= (topic.notBeforeMs ?? 0);
      const suffices = isYoung && (known.full || !topic.more);
      return suffices && known.value !== undefined
        ? { value: known.value, sinceMs: known.sinceMs }
        : toAnswer({ ...known, state: { ...known.state, failures: 1 }, error: waiting });
    },
    widen(topic) {
      const { moreWantedMs, expectations } = find(topic);
      turns += 1;
      return { ...topic, more: topic.more || clock.nowMs() - moreWantedMs < forgetMs, expectations, turn: turns };
    },
    learn(asked, found) {
      const known = find(asked);
      if (known.turn > asked.turn) return toAnswer(known);
      const nowMs = clock.nowMs();
      const outcome = judge(known, found, isSame);
      const state = planNextLook(known.state, outcome, { ...intervals, nowMs, random: clock.random() });
      const next =
        'error' in found
          ? { ...known, state, error: found.error }
          : {
              ...known,
              state,
              error: undefined,
              value: found.value,
              sinceMs: nowMs,
              turn: asked.turn,
              full: asked.more,
            };
      kept.set(asked.name, known.expectations > asked.expectations ? makeDue(next) : next);
      onLook?.(asked, outcome === 'changed' && known.value === undefined ? 'first' : outcome);
      if (outcome === 'changed' && known.state !== neverLooked) onChange?.(asked);
      return toAnswer(next);
    },
    listWanted: () => [...kept].flatMap(([name, known]) => (isWanted(known) ? [{ name, sinceMs: known.sinceMs }] : [])),
    expect(concerns) {
      const concerned = [...kept].filter(([, { repository }]) => concerns(repository));
      for (const [name, known] of concerned)
        kept.set(name, makeDue({ ...known, expectations: known.expectations + 1 }));
      return concerned.map(([, { repository }]) => repository);
    },
  };
}

function judge<Value>(
  { value }: Kept<Value>,
  found: Answer<Value>,
  isSame: (a: Value, b: Value) => boolean,
): LookOutcome {
  if ('value' in found) return value !== undefined && isSame(value, found.value) ? 'same' : 'changed';
  return found.error instanceof TallymanError && found.error.disposition === 'stalled' ? 'refused' : 'failed';
}

function makeDue<Value>(known: Kept<Value>): Kept<Value> {
  return { ...known, state: { ...known.state, dueMs: 0 } };
}

function toAnswer<Value>({ state, value, sinceMs, error }: Kept<Value>): Answer<Value> {
  if (value === undefined) return { error };
  return state.failures === 0 ? { value, sinceMs } : { value, sinceMs, stale: { error, sinceMs } };
}

function dropUnused<Value>(kept: Map<string, Kept<Value>>, nowMs: number): void {
  for (const [name, { usedMs }] of kept) {
    if (kept.size <= maxTopics && nowMs - usedMs < forgetMs) return;
    kept.delete(name);
  }
}
