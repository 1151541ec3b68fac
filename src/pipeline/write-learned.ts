/** What looks left behind as text that workers exchange: checked when it is read, for others can write there. */
import { z } from 'zod';
import { catalogue, type ErrorCode } from '../error/catalogue.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { SharedAnswer } from './job-ports.ts';
import type { Learned } from './kept-answers.ts';

const maxErrorChars = 4000;
const time = z.number().min(0).max(8.64e15);
const count = z.number().int().min(0).max(8.64e15);
const errorText = z.string().max(maxErrorChars);
/** A failure as text. */
export const toldError = z.object({
  code: z.enum(Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]]),
  message: errorText,
  remedy: errorText,
});
const toldLearned = z.object({
  changedMs: time.optional(),
  failures: count,
  dueMs: time,
  sinceMs: time,
  turn: count,
  lastTurn: count,
  full: z.boolean(),
  met: count,
  error: toldError.optional(),
});

/** By which of two what was learned later comes last: `0000000000000000.0000000000000001` after a first look that failed. */
export function formatOrder({ turn, lastTurn }: Pick<Learned, 'turn' | 'lastTurn'>): string {
  return [turn, lastTurn].map((one) => String(one).padStart(16, '0')).join('.');
}

/** JSON, with all times so much later. */
export function writeLearned({ state, error, ...learned }: Learned, laterMs: number): string {
  const { changedMs, failures, dueMs } = state;
  return JSON.stringify({
    ...shift({ ...learned, changedMs, dueMs }, laterMs),
    failures,
    error: failures > 0 ? tellError(error) : undefined,
  } satisfies z.input<typeof toldLearned>);
}

/** What was written, with all times so much later; undefined where it was not written so. */
export function readLearned(
  { order, state: text }: Pick<SharedAnswer, 'order' | 'state'>,
  laterMs: number,
): Learned | undefined {
  const told = readJson(toldLearned, text);
  if (told === undefined || formatOrder(told) !== order) return undefined;
  const { changedMs, dueMs, failures, error, ...learned } = shift(told, laterMs);
  return { ...learned, state: { changedMs, dueMs, failures }, error: error && readError(error) };
}

/** What a failure is to other workers: of one that is none of ours only that it was. */
export function tellError(error: unknown): z.output<typeof toldError> {
  const known =
    error instanceof TallymanError
      ? error
      : new TallymanError('Internal', 'Cannot go on: it failed in another worker, whose log says more');
  const cut = (text: string): string => text.slice(0, maxErrorChars);
  return { code: known.code, message: cut(known.message), remedy: cut(known.remedy) };
}

/** The failure as another worker told it. */
export function readError({ code, message, remedy }: z.output<typeof toldError>): TallymanError {
  return new TallymanError(code, message, { remedy });
}

/** What the text says, or undefined where it is not JSON of that shape. */
export function readJson<Shape extends z.ZodType>(shape: Shape, text: string): z.output<Shape> | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function shift<Times extends { sinceMs: number; dueMs: number; changedMs?: number | undefined }>(
  times: Times,
  laterMs: number,
): Omit<Times, 'changedMs'> & { changedMs: number | undefined } {
  const { sinceMs, dueMs, changedMs } = times;
  return {
    ...times,
    sinceMs: sinceMs + laterMs,
    dueMs: dueMs + laterMs,
    changedMs: changedMs === undefined ? undefined : changedMs + laterMs,
  };
}
