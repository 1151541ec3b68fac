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
  /** The higher, the later it is asked; higher than those of all looks that were known then, of whichever worker. */
  readonly turn: number;
}

/** What looks left behind but for the answer itself: what workers tell each other. Times in milliseconds since 1970. */
export interface Learned {
  readonly state: LookState;
  /** When the last answer came that was none of a failure; before the first, when it was asked for. */
  readonly sinceMs: number;
  /** Of the look that gave it; 0: none did. */
  readonly turn: number;
  /** Of the last look, whatever came of it; 0: there was none. */
  readonly lastTurn: number;
  /** Whether that look asked for more: the registry may have told no more. */
  readonly full: boolean;
  /** The expectations that the last look knew of. */
  readonly met: number;
  /** What the last look failed with; counts where `state` has failures. */
  readonly error: unknown;
}

/** What is known of a topic elsewhere. */
export interface TakenOver<Value> {
  /** Undefined where nothing newer is known there. */
  readonly learned: (Learned & { readonly value: Value | undefined }) | undefined;
  readonly expectations: number;
  /** When it was last wanted, and more of it. */
  readonly usedMs: number;
  readonly moreWantedMs: number;
  /** So far is the clock ahead of ours that workers go by together. */
  readonly aheadMs: number;
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
  /** Keeps what a look at the registry gave, unless one that began later has answered; what is known now, and whether it is something else than what the look before it gave, a first one excepted. */
  learn(asked: AskedTopic, found: Answer<Value>): { readonly answer: Answer<Value>; readonly isNews: boolean };
  /** What looks at it left behind, here and at those it was taken over from. */
  tell(topic: Topic): Learned & { readonly value: Value | undefined };
  takeOver(topic: Topic, others: TakenOver<Value>): void;
  /** Those that somebody wants, with when the registry last answered, or where it never did when they were first asked for. */
  listWanted(): readonly WantedTopic[];
  /** Has the registry asked at the next look, also where one is under way that may have come too early; the repositories that this concerns. */
  expect(concerns: (repository: ImageRepository, isFailing: boolean) => boolean): readonly ImageRepository[];
}

/** `{ name: 'ghcr.io/acme/web', sinceMs: 1700000000000 }` */
export interface WantedTopic {
  readonly name: string;
  readonly sinceMs: number;
}

/** What came of a look; `first`: there was no answer before; `told`: another worker's look saw a change. */
export type LookResult = LookOutcome | 'first' | 'told';

/** Told of each look that counts, and when it was, in milliseconds since 1970. */
export type OnLook = (topic: Topic, result: LookResult, lookedMs: number) => void;

export interface KeepOptions<Value> extends LookIntervals {
  readonly clock: Pick<Clock, 'nowMs' | 'random'>;
  readonly isSame: (a: Value, b: Value) => boolean;
  readonly onLook?: OnLook | undefined;
}

interface Kept<Value> extends Learned {
  readonly repository: ImageRepository;
  readonly value: Value | undefined;
  /** The higher, the later something new was expected. */
  readonly expectations: number;
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
  lastTurn: 0,
  full: false,
  met: 0,
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
  const { clock, isSame, onLook, ...intervals } = options;
  /** The longest unused first. */
  const kept = new Map<string, Kept<Value>>();
  let turns = 0;
  let aheadMs = 0;
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
      const state = stateOf(known);
      const isDue = isLookDue(state, { ...intervals, nowMs }) && Math.abs(nowMs - state.dueMs) >= spareMs;
      return lacksMore || isBefore || isDue ? undefined : toAnswer(known);
    },
    findDueMs(topic) {
      const known = find(topic);
      return known.lastTurn === 0 || !isWanted(known) ? undefined : stateOf(known).dueMs;
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
      const { moreWantedMs, expectations, lastTurn } = find(topic);
      // By the clock too: workers know nothing of each other's looks under way.
      turns = Math.max(turns, lastTurn, 1000 * (clock.nowMs() + aheadMs)) + 1;
      return { ...topic, more: topic.more || clock.nowMs() - moreWantedMs < forgetMs, expectations, turn: turns };
    },
    learn(asked, found) {
      const known = find(asked);
      if (known.turn > asked.turn) return { answer: toAnswer(known), isNews: false };
      const nowMs = clock.nowMs();
      const outcome = judge(known, found, isSame);
      const state = planNextLook(known.state, outcome, { ...intervals, nowMs, random: clock.random() });
      const last = { ...known, state, lastTurn: Math.max(known.lastTurn, asked.turn), met: asked.expectations };
      const answered = { error: undefined, sinceMs: nowMs, turn: asked.turn, full: asked.more };
      const next = 'error' in found ? { ...last, error: found.error } : { ...last, ...answered, value: found.value };
      kept.set(asked.name, next);
      onLook?.(asked, outcome === 'changed' && known.value === undefined ? 'first' : outcome, nowMs);
      return { answer: toAnswer(next), isNews: outcome === 'changed' && known.lastTurn !== 0 };
    },
    tell: find,
    takeOver(topic, { learned, ...others }) {
      const known = find(topic);
      const newer = learned !== undefined && isNewer(learned, known) ? learned : undefined;
      aheadMs = others.aheadMs;
      kept.delete(topic.name);
      kept.set(topic.name, {
        ...known,
        ...newer,
        expectations: Math.max(known.expectations, others.expectations),
        usedMs: Math.max(known.usedMs, others.usedMs),
        moreWantedMs: Math.max(known.moreWantedMs, others.moreWantedMs),
      });
      dropUnused(kept, clock.nowMs());
      const isNews = newer?.value !== undefined && known.value !== undefined && !isSame(known.value, newer.value);
      if (isNews) onLook?.(topic, 'told', newer.state.changedMs ?? newer.sinceMs);
    },
    listWanted: () => [...kept].flatMap(([name, known]) => (isWanted(known) ? [{ name, sinceMs: known.sinceMs }] : [])),
    expect(concerns) {
      const concerned = [...kept].filter(([, { repository, state }]) => concerns(repository, state.failures > 0));
      for (const [name, known] of concerned) kept.set(name, { ...known, expectations: known.expectations + 1 });
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

/** Due at once where something new was expected since. */
function stateOf({ state, met, expectations }: Kept<unknown>): LookState {
  return expectations > met ? { ...state, dueMs: 0 } : state;
}

/** Whether its answer is of a later look, or of the same one and a look after it failed. */
export function isNewer(a: Learned, b: Learned): boolean {
  return a.turn === b.turn ? a.lastTurn > b.lastTurn : a.turn > b.turn;
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
