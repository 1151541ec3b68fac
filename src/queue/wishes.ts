/** Jobs that wait in this process, each subject once. */
import { createHeap, type Heap } from './heap.ts';

/** That a subject is to be worked on. Times in milliseconds since 1970. */
export interface Wish {
  readonly subject: string;
  readonly dueMs: number;
  readonly urgent: boolean;
}

export interface Wishes {
  /** Adds it, or joins it to what waits under its subject: the sooner time, and urgent if one of them is. */
  add(wish: Wish): void;
  has(subject: string): boolean;
  /** Takes out what is to begin now: the urgent first, then what is due longest; undefined where nothing is due. */
  take(nowMs: number): Wish | undefined;
  /** When the next becomes due of those that are not; undefined where none waits. */
  nextDueMs(nowMs: number): number | undefined;
  /** How many are due, how many are not, and since when the first of them is due. */
  count(nowMs: number): { readonly due: number; readonly delayed: number; readonly firstDueMs: number | undefined };
}

/** Heaps are swept once they hold so many more than what waits. */
const slack = 1000;

/** Nothing waits at first. */
export function createWishes(): Wishes {
  const waiting = new Map<string, Wish>();
  /** May hold wishes that were joined to others since: those are passed over. */
  const delayed = createHeap<Wish>((a, b) => a.dueMs < b.dueMs);
  const due = createHeap<Wish>((a, b) => (a.urgent === b.urgent ? a.dueMs < b.dueMs : a.urgent));
  const isCurrent = (wish: Wish): boolean => waiting.get(wish.subject) === wish;

  function firstOf(heap: Heap<Wish>): Wish | undefined {
    for (let first = heap.peek(); first !== undefined; first = heap.peek()) {
      if (isCurrent(first)) return first;
      heap.pop();
    }
    return undefined;
  }

  function promote(nowMs: number): void {
    for (let first = firstOf(delayed); first !== undefined && first.dueMs <= nowMs; first = firstOf(delayed)) {
      delayed.pop();
      due.push(first);
    }
  }

  return {
    add(wish) {
      const known = waiting.get(wish.subject);
      const joined = known === undefined ? wish : joinWishes(known, wish);
      if (joined === known) return;
      waiting.set(wish.subject, joined);
      delayed.push(joined);
      for (const heap of [delayed, due]) if (heap.size > 2 * waiting.size + slack) heap.filter(isCurrent);
    },
    has: (subject) => waiting.has(subject),
    take(nowMs) {
      promote(nowMs);
      const first = firstOf(due);
      if (first === undefined) return undefined;
      due.pop();
      waiting.delete(first.subject);
      return first;
    },
    nextDueMs(nowMs) {
      promote(nowMs);
      return firstOf(delayed)?.dueMs;
    },
    count(nowMs) {
      const dueMs = [...waiting.values()].map((wish) => wish.dueMs).filter((moment) => moment <= nowMs);
      const firstDueMs = dueMs.length === 0 ? undefined : dueMs.reduce((a, b) => Math.min(a, b));
      return { due: dueMs.length, delayed: waiting.size - dueMs.length, firstDueMs };
    },
  };
}

/** Both as one; `known` itself where the other adds nothing to it. */
export function joinWishes(known: Wish, { dueMs, urgent }: Wish): Wish {
  if (dueMs >= known.dueMs && (known.urgent || !urgent)) return known;
  return { ...known, dueMs: Math.min(known.dueMs, dueMs), urgent: known.urgent || urgent };
}
