/** Tags that were moved: a version whose image becomes another is an alarm. */
import { createProblem, type Problem } from '../error/problem.ts';
import type { Policy } from '../policy/policy.ts';
import { createTagReader } from '../select/tag-reader.ts';
import { readCurrent, type Target } from '../target/target.ts';
import type { FirstSeen } from './first-seen.ts';
import type { ImageLookup } from './look-up-images.ts';

/** A tag that is not to move. */
export interface WatchedTag {
  readonly policy: Policy;
  readonly tag: string;
}

/** So long after it was seen a moved tag is told; afterwards it is history. */
const toldMs = 24 * 3_600_000;

/** Whether the policy's tags are versions: one that follows a tag's digest wants it to move. */
export function isWatchable({ select }: Policy): boolean {
  return select.kind !== 'digest';
}

/** The tags that stand in Git now, as far as the registry lists them. */
export function nameWatched(
  policy: Policy,
  targets: readonly Target[],
  lookup: Pick<ImageLookup, 'tagsOf'>,
): readonly WatchedTag[] {
  if (!isWatchable(policy)) return [];
  const answer = lookup.tagsOf(policy.repository);
  if ('error' in answer) return [];
  const current = new Set(targets.flatMap((target) => readCurrent(target).tag ?? []));
  return [...current].filter((tag) => hasLine(answer.value.names, tag)).map((tag) => ({ policy, tag }));
}

/** Whether a line of the text is that one; nothing is copied, for this is asked for all policies at each pass. */
function hasLine(text: string, line: string): boolean {
  for (let start = text.indexOf(line); start !== -1; start = text.indexOf(line, start + 1)) {
    const end = start + line.length;
    if ((start === 0 || text[start - 1] === '\n') && (end === text.length || text[end] === '\n')) return true;
  }
  return false;
}

/** A problem for each of the tags in Git that was moved lately, and of those that the policies could choose. */
export function describeMoved(
  watched: readonly WatchedTag[],
  { policies, firstSeen, nowMs }: { policies: readonly Policy[]; firstSeen: FirstSeen; nowMs: number },
): readonly Problem[] {
  const all = [...watched, ...policies.flatMap((policy) => nameMoved(policy, firstSeen, nowMs - toldMs))];
  const told = new Map(all.map((one) => [`${one.policy.key} ${one.tag}`, one]));
  return [...told.values()].flatMap(({ policy, tag }) => {
    const entry = firstSeen.entryOf(policy.repository, tag);
    if (entry?.movedFrom === undefined || nowMs - (entry.digestSeenMs ?? 0) >= toldMs) return [];
    const found = `it was ${entry.movedFrom} and is ${entry.digest} since ${new Date(entry.digestSeenMs ?? 0).toISOString()}`;
    const message = `Cannot trust tag "${tag}" of "${policy.image}": ${found}, one image for good was wanted`;
    return [createProblem('TagMutated', message, { place: policy.source, policy: policy.key })];
  });
}

/** Those that were moved since and that the policy could choose, also while they wait for their age or are kept away for it. */
function nameMoved(policy: Policy, firstSeen: FirstSeen, sinceMs: number): readonly WatchedTag[] {
  if (!isWatchable(policy) || !firstSeen.knowsMoves(policy.repository, sinceMs)) return [];
  const { admit } = createTagReader(policy);
  const entries = firstSeen.entriesOf(policy.repository) ?? new Map();
  const moved = [...entries].filter(([, { movedFrom }]) => movedFrom !== undefined).map(([tag]) => tag);
  return moved.filter((tag) => admit(tag, {}).kind !== 'rejected').map((tag) => ({ policy, tag }));
}
