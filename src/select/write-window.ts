/** Times of the week in which versions may be written. */
import { earliest } from '../collection/earliest.ts';
import type { Policy, Weekday, WriteWindow } from '../policy/policy.ts';
import type { Selection } from './selection.ts';

/** As `Date` counts them. */
const countedDays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const dayMinutes = 24 * 60;
const minuteMs = 60_000;
const dayMs = dayMinutes * minuteMs;
/** So far is looked ahead: a window of one day of the week may be skipped once, where clocks are set forward over it. */
const aheadDays = 15;

/**
 * When something may be written: `nowMs` itself inside a window, or where there are none; else the beginning of the next.
 * Milliseconds since 1970. Undefined where none begins within two weeks, as none does without days. Where clocks are set, a
 * window is open as long as they show its times: twice, later, or not at all.
 *
 * @example
 * nextOpening([{ days: ['mon'], from: '09:00', to: '17:00', timeZone: 'UTC' }], 0) // 378000000
 */
export function nextOpening(windows: readonly WriteWindow[], nowMs: number): number | undefined {
  if (windows.length === 0 || windows.some((window) => isOpen(window, nowMs))) return nowMs;
  return earliest(windows.map((window) => findOpening(window, nowMs)));
}

/**
 * The selection as the policy's windows leave it: outside them nothing is written, a new version waits, and `wakeMs` is when
 * it may be.
 *
 * @example
 * waitForWindow({ windows: [] }, selection, { nowMs: 0 }).kind // 'update'
 */
export function waitForWindow(
  { windows = [] }: Pick<Policy, 'windows'>,
  selection: Selection,
  { nowMs }: { readonly nowMs: number },
): Selection {
  const opensMs = nextOpening(windows, nowMs);
  if (opensMs === nowMs || selection.tag === undefined) return selection;
  const nothing = { tag: undefined, digest: undefined };
  if (selection.kind !== 'update') return { ...selection, ...nothing };
  const reason = `${selection.tag}: outside its windows, ${describeOpening(opensMs)}`;
  const tags = selection.tags.map((verdict) =>
    verdict.verdict === 'selected' ? { ...verdict, verdict: 'waiting' as const, reason } : verdict,
  );
  return { ...selection, ...nothing, kind: 'waiting', reason, wakeMs: opensMs, tags };
}

/**
 * When the next window opens, as reasons tell it.
 *
 * @example
 * describeOpening(0) // 'the next opens 1970-01-01T00:00Z'
 */
export function describeOpening(opensMs: number | undefined): string {
  return opensMs === undefined ? 'none ever opens' : `the next opens ${new Date(opensMs).toISOString().slice(0, 16)}Z`;
}

/**
 * Whether its times are on the clock of its zone.
 *
 * @example
 * isOpen({ days: ['thu'], from: '00:00', to: '17:00', timeZone: 'UTC' }, 0) // true
 */
export function isOpen({ days, from, to, timeZone }: WriteWindow, nowMs: number): boolean {
  const { weekday, minutes } = readWallClock(nowMs, timeZone);
  const [start, end] = [toMinutes(from), toMinutes(to)];
  const today = days.includes(countedDays[weekday] as Weekday);
  const yesterday = days.includes(countedDays[(weekday + 6) % 7] as Weekday);
  if (start < end) return today && minutes >= start && minutes < end;
  return (today && minutes >= start) || (yesterday && minutes < end);
}

/** A window that is shut opens when the clock shows its beginning, or where the clock is set. */
function findOpening(window: WriteWindow, nowMs: number): number | undefined {
  const { from, timeZone } = window;
  const startMs = Math.floor(nowMs / minuteMs) * minuteMs;
  const days = Array.from({ length: aheadDays + 1 }, (_, ahead) => {
    const ms = startMs + ahead * dayMs;
    return { ms, offset: offsetMs(ms, timeZone) };
  });
  const changes = days.flatMap((day, index) => {
    const before = days[index - 1];
    return before === undefined || before.offset === day.offset ? [] : [findChange(before, day.ms, timeZone)];
  });
  // Each by all offsets that there are meanwhile: an hour may be there twice. What is none is shut.
  const beginnings = [...new Set(days.map(({ offset }) => offset))].flatMap((offset) =>
    days.map(({ ms }) => Math.floor((ms + offset) / dayMs) * dayMs + toMinutes(from) * minuteMs - offset),
  );
  const moments = [...changes, ...beginnings].filter((ms) => ms > nowMs).sort((a, b) => a - b);
  return moments.find((ms) => isOpen(window, ms));
}

/** The first minute after `before` that has another offset; one until `untilMs` has. */
function findChange(before: { readonly ms: number; readonly offset: number }, untilMs: number, zone: string): number {
  let [sameMs, otherMs] = [before.ms, untilMs];
  while (otherMs - sameMs > minuteMs) {
    const middleMs = sameMs + Math.floor((otherMs - sameMs) / 2 / minuteMs) * minuteMs;
    if (offsetMs(middleMs, zone) === before.offset) sameMs = middleMs;
    else otherMs = middleMs;
  }
  return otherMs;
}

function offsetMs(ms: number, timeZone: string): number {
  const { year, month, day, minutes } = readWallClock(ms, timeZone);
  return Date.UTC(year, month - 1, day) + minutes * minuteMs - Math.floor(ms / minuteMs) * minuteMs;
}

interface WallClock {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Since midnight, by the clock. */
  readonly minutes: number;
  /** Sunday is 0. */
  readonly weekday: number;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function readWallClock(ms: number, timeZone: string): WallClock {
  const clock = clocks.get(timeZone) ?? createClock(timeZone);
  const parts = new Map(clock.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
  const [year, month, day] = [part('year'), part('month'), part('day')];
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
  return { year, month, day, minutes: (part('hour') * 60 + part('minute')) % dayMinutes, weekday };
}

function createClock(timeZone: string): Intl.DateTimeFormat {
  const numeric = 'numeric';
  const fields = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    hourCycle: 'h23',
  } as const;
  const clock = new Intl.DateTimeFormat('en-US', { ...fields, timeZone });
  clocks.set(timeZone, clock);
  return clock;
}

function toMinutes(time: string): number {
  const [hours, minutes] = time.split(':').map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}
