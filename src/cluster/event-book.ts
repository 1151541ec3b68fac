/** What is still to be told: what happened, and what goes on. Knows no cluster; time is an argument. */
import type { EventRecorder, StatusEvent } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';

/** One event with what became of it. */
export interface Entry {
  readonly event: StatusEvent;
  /** By the wall's clock. */
  readonly firstMs: number;
  lastMs: number;
  /** How often it was seen here. */
  seen: number;
  /** How much of that is told. */
  told: number;
  /** As the API server has it: count of the series and version of the object; undefined before it is told. */
  known: { readonly count: number; readonly resourceVersion: string | undefined } | undefined;
}

interface Ongoing extends Entry {
  readonly source: string;
  readonly key: string;
  /** When it ended, by the steady clock. */
  overMs: number | undefined;
  /** When it was told last, and when it may be told again. */
  toldMs: number;
  dueMs: number;
  gapMs: number;
}

export interface EventBook extends EventRecorder {
  /** The next one to tell, or when there is one by the steady clock; undefined while nothing is known to come. */
  take(): Entry | number | undefined;
  /** What was taken is told. */
  settle(entry: Entry): void;
  /** It could not be told; others are before it now, for it may be the only one that cannot. */
  giveBack(entry: Entry): void;
  /** How many were never told. */
  countUntold(): number;
  /** Lets go of what was never told; how many that were. */
  forget(): number;
}

export interface BookOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs' | 'random'>;
  /** What was found by a source that has said nothing for so long may be over: another worker makes its passes. */
  readonly forgetMs: number;
  /** Called with how many were let go of, because too many wait. */
  readonly onDropped: (count: number) => void;
  /** Called when there may be something to take. */
  readonly onNews: () => void;
}

/** Of each kind; a pass may update thousands of images. */
export const maxWaiting = 5000;
export const minGapMs = 5 * 60_000;
const maxGapMs = 28 * 60_000;
/** A problem that comes back within that time goes on with its series. */
const rememberMs = 60 * 60_000;

/** Nothing is to be told at first. */
export function createEventBook({ clock, forgetMs, onDropped, onNews }: BookOptions): EventBook {
  const done: Entry[] = [];
  const ongoing = new Map<string, Ongoing>();
  /** Of what happened, the one that is being told. */
  let taken: Entry | undefined;
  let isOngoingsTurn = false;
  const heardMs = new Map<string, number>();
  /** How many of a source are not told, for there are too many. */
  const leftOut = new Map<string, number>();

  function begin(source: string, key: string, event: StatusEvent): Ongoing {
    const wallMs = clock.wallMs();
    const counts = { firstMs: wallMs, lastMs: wallMs, seen: 0, told: 0, known: undefined };
    return { event, source, key, ...counts, overMs: undefined, toldMs: 0, dueMs: clock.nowMs(), gapMs: minGapMs };
  }

  function see(source: string, key: string, event: StatusEvent): boolean {
    const entry = ongoing.get(key) ?? (ongoing.size < maxWaiting ? begin(source, key, event) : undefined);
    if (entry === undefined) return false;
    ongoing.set(key, entry);
    Object.assign(entry, { lastMs: clock.wallMs(), seen: entry.seen + 1, overMs: undefined });
    return true;
  }

  /** Whether it is to be told at some time: once, and while it goes on or has not been told whole. */
  function isOpen(entry: Ongoing): boolean {
    if (entry.known === undefined) return true;
    if (!entry.event.repeats) return false;
    if (entry.overMs !== undefined) return entry.seen > entry.told;
    return clock.nowMs() - (heardMs.get(entry.source) ?? 0) < forgetMs;
  }

  function tidy(): void {
    const nowMs = clock.nowMs();
    for (const [key, entry] of ongoing) {
      const endedMs = entry.overMs ?? (heardMs.get(entry.source) ?? 0) + forgetMs;
      if (entry.known !== undefined && nowMs - endedMs > rememberMs) ongoing.delete(key);
    }
  }

  function takeOngoing(): Ongoing | number | undefined {
    let [next, nextMs]: [Ongoing | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (const entry of ongoing.values()) {
      if (!isOpen(entry)) continue;
      if (entry.known === undefined) return entry;
      const dueMs = findDueMs(entry);
      if (dueMs < nextMs) [next, nextMs] = [entry, dueMs];
    }
    if (next === undefined) return undefined;
    if (nextMs > clock.nowMs()) return nextMs;
    // Nobody says that it is over: so it is still so.
    if (next.seen === next.told) next.lastMs = clock.wallMs();
    return next;
  }

  return {
    record(events) {
      const now = clock.wallMs();
      for (const event of events) done.push({ event, firstMs: now, lastMs: now, seen: 1, told: 0, known: undefined });
      const dropped = done.splice(0, Math.max(0, done.length - maxWaiting));
      if (dropped.length > 0) onDropped(dropped.length);
      if (events.length > 0) onNews();
    },
    keep(source, events) {
      tidy();
      heardMs.set(source, clock.nowMs());
      const now = new Map(events.map((event) => [identify(source, event), event]));
      for (const [key, entry] of ongoing)
        if (entry.source === source && entry.overMs === undefined && !now.has(key)) entry.overMs = clock.nowMs();
      let left = 0;
      for (const [key, event] of now) if (!see(source, key, event)) left += 1;
      const more = left - (leftOut.get(source) ?? 0);
      leftOut.set(source, left);
      if (more > 0) onDropped(more);
      if (now.size > 0) onNews();
    },
    take() {
      const next = isOngoingsTurn || done.length === 0 ? takeOngoing() : undefined;
      isOngoingsTurn = false;
      if (typeof next === 'object' || done.length === 0) return next;
      taken = done.shift();
      return taken;
    },
    settle(entry) {
      taken = undefined;
      if (!isOngoing(entry)) return;
      // Never in step with those that began together.
      const gapMs = entry.gapMs * (0.9 + 0.1 * clock.random());
      const toldMs = clock.nowMs();
      Object.assign(entry, { toldMs, dueMs: toldMs + gapMs, gapMs: Math.min(2 * entry.gapMs, maxGapMs) });
    },
    giveBack(entry) {
      taken = undefined;
      if (isOngoing(entry)) {
        if (ongoing.delete(entry.key)) ongoing.set(entry.key, entry);
      } else {
        done.push(entry);
        isOngoingsTurn = true;
      }
    },
    countUntold: () =>
      done.length +
      Number(taken !== undefined) +
      [...ongoing.values()].filter(({ known }) => known === undefined).length,
    forget() {
      const untold = [...ongoing].filter(([, { known }]) => known === undefined);
      for (const [key] of untold) ongoing.delete(key);
      return untold.length + done.splice(0).length;
    },
  };
}

/** Where it was not seen again, for passes are rare, it is told in time to be kept: another worker may have seen its end. */
function findDueMs({ seen, told, dueMs, toldMs }: Ongoing): number {
  return seen > told ? dueMs : toldMs + maxGapMs;
}

function isOngoing(entry: Entry): entry is Ongoing {
  return 'source' in entry;
}

function identify(source: string, { reason, about, id }: StatusEvent): string {
  return JSON.stringify([source, reason, about ?? null, id]);
}
