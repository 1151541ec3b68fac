/** Which versions that we wrote earlier a new commit leaves standing: taking those away will count too. */
import type { Policy } from '../policy/policy.ts';
import { createTagReader } from '../select/tag-reader.ts';
import type { CurrentVersion } from '../target/target.ts';
import { hasVersion, isSame, parseVersionText } from './find-lost.ts';
import { maxHeldVersions } from './hold.ts';
import type { UpdateMark } from './marks.ts';

/** What a commit does to one policy's places. */
export interface PlacesAfter {
  /** What it writes, and what stood there before. */
  readonly written: readonly Pick<UpdateMark, 'from' | 'to'>[];
  /** What the places have that it does not write to. */
  readonly untouched: readonly CurrentVersion[];
}

/**
 * Those of the earlier updates whose versions stand in a place that the commit does not write to; also where a person's
 * newer version stands over one that is above all that is written now, for that may be reverted before ours is. At most 100.
 */
export function listKept(
  policy: Policy,
  earlier: readonly UpdateMark[],
  { written, untouched }: PlacesAfter,
): readonly UpdateMark[] {
  const kept = new Map<string, UpdateMark>();
  const writtenTo = written.map(({ to }) => to);
  for (const update of earlier) {
    // The same version in place of another counts on its own: going back to that one would be no loss else.
    if (written.some(({ from, to }) => from === update.from && to === update.to)) continue;
    const stands = untouched.some((current) => isSame(current, update));
    const isCovered =
      isAboveAll(policy, update.to, writtenTo) && untouched.some((now) => hasVersion(policy, now, update));
    if (stands || isCovered) kept.set(`${update.from} ${update.to}`, update);
  }
  return [...kept.values()].slice(-maxHeldVersions);
}

function isAboveAll(policy: Policy, version: string, others: readonly string[]): boolean {
  const { order, read } = createTagReader(policy);
  const readVersion = (text: string) => {
    const { tag } = parseVersionText(text);
    return tag === undefined ? undefined : read(tag, undefined);
  };
  const own = readVersion(version);
  if (policy.select.kind === 'digest' || own === undefined) return false;
  return others.every((text) => {
    const other = readVersion(text);
    return other !== undefined && order.compare(own, other) > 0;
  });
}
