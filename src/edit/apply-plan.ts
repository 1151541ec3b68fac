/** Makes the new bytes of a plan, and proves each file before it is let out. */
import type { Problem } from '../error/problem.ts';
import { toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { decodeText } from '../yaml/decode-text.ts';
import type { Edit, Files, Plan } from './plan.ts';
import { proveEdits } from './prove-edits.ts';

/** The files that change, and a problem (EditRefused) for each that was left as it is. */
export interface AppliedPlan {
  readonly files: Files;
  readonly problems: readonly Problem[];
}

/**
 * The new bytes of each file that the plan changes. Every byte outside the planned ranges stays; a file for which that
 * cannot be proved by reading it again is refused and the others go on. A plan that was applied already changes nothing.
 *
 * @example
 * applyPlan(files, plan).files.get('web.yaml') // the new bytes
 */
export function applyPlan(files: Files, plan: Plan): AppliedPlan {
  const changed = new Map<string, Uint8Array>();
  const problems: Problem[] = [];
  const byFile = new Map<string, Edit[]>();
  for (const edit of plan.edits) {
    const known = byFile.get(edit.file);
    if (known === undefined) byFile.set(edit.file, [edit]);
    else known.push(edit);
  }
  for (const [file, edits] of byFile) {
    try {
      const bytes = applyToFile(file, files.get(file), edits);
      if (bytes !== undefined) changed.set(file, bytes);
    } catch (error) {
      problems.push(toProblem(error, { place: { file } }));
    }
  }
  return { files: changed, problems };
}

/** The file's new bytes; undefined where the edits are in it already. */
function applyToFile(file: string, bytes: Uint8Array | undefined, edits: readonly Edit[]): Uint8Array | undefined {
  if (bytes === undefined) throw refuse(file, 'the file is not there, the file that was planned on was wanted');
  const ordered = [...edits].sort((a, b) => a.start - b.start);
  if (holds(bytes, ordered, 'new')) return undefined;
  if (!holds(bytes, ordered, 'old'))
    throw refuse(file, 'it changed since it was planned on, the planned bytes were wanted');
  const parts: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let position = 0;
  for (const edit of ordered) {
    parts.push(bytes.subarray(position, edit.start), encoder.encode(edit.newText));
    position = edit.end;
  }
  parts.push(bytes.subarray(position));
  const result = concatenate(parts);
  proveEdits(file, { before: decodeText(bytes, file), after: decodeText(result, file), edits: ordered });
  return result;
}

/** Whether the file has the length and, at each edit's place, the text from before the plan or from after it. */
function holds(bytes: Uint8Array, ordered: readonly Edit[], side: 'old' | 'new'): boolean {
  const encoder = new TextEncoder();
  let shift = 0;
  for (const edit of ordered) {
    const text = encoder.encode(side === 'old' ? edit.oldText : edit.newText);
    const start = edit.start + shift;
    if (text.some((byte, index) => bytes[start + index] !== byte)) return false;
    if (side === 'new') shift += text.length - (edit.end - edit.start);
  }
  return ordered.every((edit) => edit.fileBytes + shift === bytes.length);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    result.set(part, position);
    position += part.length;
  }
  return result;
}

function refuse(file: string, found: string): TallymanError {
  return new TallymanError('EditRefused', `Cannot edit file "${file}": ${found}`, { place: { file } });
}
