/** Plans the edits of one batch from files, policies and what was selected. */
import { groupBy } from '../collection/group-by.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import { findExplicitSites } from '../target/find-explicit.ts';
import { findSites, mergeSites } from '../target/find-sites.ts';
import { matchTargets } from '../target/match-targets.ts';
import type { Target } from '../target/target.ts';
import { decodeText } from '../yaml/decode-text.ts';
import type { Edit, Files, Plan } from './plan.ts';
import { planTargets, type ScalarChange } from './plan-targets.ts';
import { quoteScalar } from './quote-scalar.ts';

/**
 * The plan that writes each selection to its policy's targets in these files; what cannot be written is a problem of the
 * plan, and the rest goes on. Files that need no change are not in it.
 *
 * @example
 * planEdits(files, [policy], [selection]).edits[0].newText // 'ghcr.io/acme/web:1.5.0'
 */
export function planEdits(files: Files, policies: readonly Policy[], selections: readonly Selection[]): Plan {
  const found = new Map([...files].map(([file, bytes]) => [file, findSites(bytes, file)]));
  const explicit = findExplicitSites(files, policies);
  const { targets, problems } = matchTargets(mergeSites(explicit.sites, found), policies);
  const plan = planTargetEdits(files, targets, selections);
  const seen = [...found.values()].flatMap((file) => file.problems);
  return { ...plan, problems: [...seen, ...explicit.problems, ...problems, ...plan.problems] };
}

/** The same, where the targets are known already; `files` needs only those that have targets. */
export function planTargetEdits(files: Files, targets: readonly Target[], selections: readonly Selection[]): Plan {
  const { changes, problems } = planTargets(targets, selections);
  const edits = [...groupBy(changes, ({ target }) => target.file)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([file, inFile]) => toEdits(file, files.get(file), inFile));
  return { edits, problems };
}

function toEdits(file: string, bytes: Uint8Array | undefined, changes: readonly ScalarChange[]): Edit[] {
  if (bytes === undefined) return [];
  const text = decodeText(bytes, file);
  const encoder = new TextEncoder();
  const ordered = [...changes].sort((a, b) => a.scalar.start - b.scalar.start);
  let seenChars = 0;
  let seenBytes = 0;
  return ordered.map(({ scalar, value, update }) => {
    seenBytes += encoder.encode(text.slice(seenChars, scalar.start)).length;
    seenChars = scalar.start;
    const oldText = text.slice(scalar.start, scalar.end);
    return {
      file,
      start: seenBytes,
      end: seenBytes + encoder.encode(oldText).length,
      oldText,
      newText: quoteScalar(scalar.prefix + value, scalar),
      value: scalar.prefix + value,
      fileBytes: bytes.length,
      update,
      line: scalar.line,
      path: scalar.path,
    };
  });
}
