/** Times of the week in which versions may be written. */
import type { Policy, Weekday, WriteWindow } from '../policy/policy.ts';
import type { Selection } from './selection.ts';

/** As `Date` counts them. */
const countedDays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const dayMinutes = 24 * 60;
const minuteMs = 60_000;

/**
 * When something may be written: `nowMs` itself inside a window, or where there are none; else the beginning of the next.
 * Milliseconds since 1970. Undefined where none begins within nine days, as none does without days. A beginning that the
 * clocks skip counts as the moment to which they are set.
 *
 * @example
 * nextOpening([{ days: ['mon'], from: '09:00', to: '17:00', timeZone: 'UTC' }], 0) // 378000000
 */
export function nextOpening(windows: readonly WriteWindow[], nowMs: number): number | undefined {
  if (windows.length === 0 || windows.some((window) => isOpen(window, nowMs))) return nowMs;
  const openings = windows.flatMap((window) => listOpenings(window, nowMs)).filter((ms) => ms > nowMs);
  return openings.length === 0 ? undefined : Math.min(...openings);
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

function isOpen({ days, from, to, timeZone }: WriteWindow, nowMs: number): boolean {
  const { weekday, minutes } = readWallClock(nowMs, timeZone);
  const [start, end] = [toMinutes(from), toMinutes(to)];
  const today = days.includes(countedDays[weekday] as Weekday);
  const yesterday = days.includes(countedDays[(weekday + 6) % 7] as Weekday);
  if (start < end) return today && minutes >= start && minutes < end;
  return (today && minutes >= start) || (yesterday && minutes < end);
}

/** The beginnings from today to nine days on. */
function listOpenings({ days, from, timeZone }: WriteWindow, nowMs: number): readonly number[] {
  const { year, month, day } = readWallClock(nowMs, timeZone);
  return Array.from({ length: 10 }, (_, ahead) => Date.UTC(year, month - 1, day + ahead)).flatMap((midnight) => {
    if (!days.includes(countedDays[new Date(midnight).getUTCDay()] as Weekday)) return [];
    return toInstant(midnight + toMinutes(from) * minuteMs, timeZone);
  });
}

/** The moment at which a zone's wall clock shows what a clock of UTC shows at `wallMs`. */
function toInstant(wallMs: number, timeZone: string): number {
  const guess = wallMs - offsetMs(wallMs, timeZone);
  const exact = wallMs - offsetMs(guess, timeZone);
  // Where the clocks are set forward, both are beside each other; the later one is there.
  return exact + offsetMs(exact, timeZone) === wallMs ? exact : Math.max(guess, exact);
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
