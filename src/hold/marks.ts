/** The lines of our commits that are Tallyman's memory inside Git: written as trailers, read back wherever they stand. */
import { printable } from '../error/printable.ts';

/** `Tallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0` */
export interface UpdateMark {
  readonly policy: string;
  readonly image: string;
  /** Undefined where there was no version. */
  readonly from: string | undefined;
  readonly to: string;
}

/** `Tallyman-Held: shop/web 1.5.0`: a person took that version away before; stands beside updates of the same policy. */
export interface HeldMark {
  readonly policy: string;
  readonly version: string;
}

/** `Tallyman-Hold: shop/web until the audit is done`: a person asks to leave the policy alone. */
export interface HoldMark {
  readonly policy: string;
  /** Empty where none was given. */
  readonly reason: string;
}

/** What one commit says of policies. */
export interface CommitMarks {
  readonly updates: readonly UpdateMark[];
  readonly held: readonly HeldMark[];
  /** Earlier updates whose versions this commit left standing: `Tallyman-Kept: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0` */
  readonly kept: readonly UpdateMark[];
  readonly holds: readonly HoldMark[];
  /** Policies whose holds end, or where there is none, whose versions are free: `Tallyman-Resume: shop/web` */
  readonly resumes: readonly string[];
  /** Ids of plans: several where commits were squashed. */
  readonly plans: readonly string[];
  /** Commits whose past was known when it was made: `Tallyman-Base: 3f2c…`, its parent unless it was squashed, rebased or picked. */
  readonly bases: readonly string[];
}

const needle = 'Tallyman-';
const linePattern = /^Tallyman-(Update|Held|Kept|Hold|Resume|Plan|Base): ([^\r\n]{0,1000})/gm;
const noVersion = '(none)';

/**
 * What a commit message says of policies; undefined where it says nothing. The lines count wherever they stand, not only as
 * the last paragraph: forges that squash a pull request put other commits' messages around them. What `git revert` quotes
 * holds none.
 *
 * @example
 * readMarks('Update\n\nTallyman-Resume: shop/web\n').resumes // ['shop/web']
 */
export function readMarks(message: string): CommitMarks | undefined {
  if (!message.includes(needle)) return undefined;
  const lines = [...message.matchAll(linePattern)].map(([, name = '', text = '']) => ({
    name,
    words: text.trim().split(/\s+/),
  }));
  if (lines.length === 0) return undefined;
  const of = <Mark>(name: string, read: (words: readonly string[]) => readonly Mark[]): readonly Mark[] =>
    lines.filter((line) => line.name === name).flatMap(({ words }) => read(words));
  return {
    updates: of('Update', readUpdate),
    held: of('Held', ([policy, version, ...more]) =>
      policy && version && more.length === 0 ? [{ policy, version }] : [],
    ),
    kept: of('Kept', readUpdate),
    holds: of('Hold', ([policy, ...reason]) => (policy ? [{ policy, reason: reason.join(' ') }] : [])),
    resumes: of('Resume', ([policy, ...more]) => (policy && more.length === 0 ? [policy] : [])),
    plans: of('Plan', ([plan]) => (plan ? [plan] : [])),
    bases: of('Base', ([base, ...more]) => (base && more.length === 0 ? [base] : [])),
  };
}

function readUpdate([policy, image, from, arrow, to, ...more]: readonly string[]): readonly UpdateMark[] {
  if (!policy || !image || !from || arrow !== '->' || !to || more.length > 0) return [];
  return [{ policy, image, from: from === noVersion ? undefined : from, to }];
}

/** The line that `readMarks` reads as that update. */
export function formatUpdateMark(update: UpdateMark): string {
  return `Tallyman-Update: ${formatUpdate(update)}`;
}

/** The line that `readMarks` reads as a version kept, with all that was said when it was written. */
export function formatKeptMark(update: UpdateMark): string {
  return `Tallyman-Kept: ${formatUpdate(update)}`;
}

/** What stood in a file may hold anything: in a line it is one word. */
function formatUpdate({ policy, image, from, to }: UpdateMark): string {
  const before = from === undefined ? noVersion : printable(from, 200).replace(/\s/g, '_');
  return `${policy} ${image} ${before} -> ${to}`;
}

export function formatHeldMark({ policy, version }: HeldMark): string {
  return `Tallyman-Held: ${policy} ${version}`;
}

/** The reason becomes one line of at most 300 characters. */
export function formatHoldMark({ policy, reason }: HoldMark): string {
  return `Tallyman-Hold: ${policy} ${formatReason(reason)}`.trimEnd();
}

export function formatResumeMark(policy: string): string {
  return `Tallyman-Resume: ${policy}`;
}

export function formatBaseMark(commit: string): string {
  return `Tallyman-Base: ${commit}`;
}

/** A person's words as one line. */
export function formatReason(reason: string): string {
  return printable(reason.replace(/\s+/g, ' ').trim(), 300);
}
