/** Whether a version that we wrote was taken away again: what places have now, against what they had. */
import type { Policy } from '../policy/policy.ts';
import { createTagReader } from '../select/tag-reader.ts';
import { type CurrentVersion, readCurrent, type Target } from '../target/target.ts';
import type { UpdateMark } from './marks.ts';

/** A version that some places are without: had they it once, it was taken away. */
export interface Suspect {
  readonly update: UpdateMark;
  /** Places that have neither it nor a newer one now. Never empty. */
  readonly without: ReadonlySet<Target>;
}

/** A place as it was. */
export interface PastPlace {
  readonly file: string;
  /** Of its first scalar: `#1:spec.containers[0].image` */
  readonly path: string;
  readonly version: CurrentVersion;
}

/** Those of the versions that may have been lost at the policy's present targets. None where all have them, or newer ones. */
export function listSuspects(
  policy: Policy,
  written: readonly UpdateMark[],
  targets: readonly Target[],
): readonly Suspect[] {
  return written.flatMap((update): Suspect[] => {
    const without = new Set(targets.filter((target) => !hasVersion(policy, readCurrent(target), update)));
    return without.size === 0 ? [] : [{ update, without }];
  });
}

/**
 * The place that lost the version, were these targets those past places; undefined where none did. A place is known by its
 * path; items of one list count together, for they move, and so do all places whose paths are gone with all that are new.
 */
export function findLoss(
  { update, without }: Suspect,
  { targets, past }: { targets: readonly Target[]; past: readonly PastPlace[] },
): Target | undefined {
  const had = countKeys(past.filter(({ version }) => isSame(version, update)).map(keyOfPast));
  if (had.size === 0) return undefined;
  const known = new Set(past.map(keyOfPast));
  const present = new Set(targets.map(keyOf));
  const gone = [...had].reduce((sum, [key, count]) => sum + (present.has(key) ? 0 : count), 0);
  const having = targets.filter((target) => !without.has(target));
  const has = countKeys(having.map(keyOf));
  const moved = having.filter((target) => !known.has(keyOf(target))).length;
  return targets.find((target) => {
    if (!without.has(target)) return false;
    const key = keyOf(target);
    return known.has(key) ? (had.get(key) ?? 0) > (has.get(key) ?? 0) : gone > moved;
  });
}

function keyOf({ file, site }: Target): string {
  return formatKey(file, site.scalars[0]?.path ?? '');
}

function keyOfPast({ file, path }: PastPlace): string {
  return formatKey(file, path);
}

function formatKey(file: string, path: string): string {
  return `${file} ${path.replace(/\[\d+\]/g, '[]')}`;
}

function countKeys(keys: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** What stands in a file that has the version: its tag, or its digest where it has no tag. */
export function findNeedle({ to }: UpdateMark): string {
  const { tag, digest } = parseVersionText(to);
  return tag ?? digest ?? to;
}

/** Whether a place has what was written, or a newer version that a person chose. */
export function hasVersion(policy: Policy, current: CurrentVersion, update: UpdateMark): boolean {
  if (isSame(current, update)) return true;
  // Going back to what was there before is taking away, also where a downgrade had been written.
  if (update.from !== undefined && isEqualVersion(current, parseVersionText(update.from))) return false;
  const { tag } = parseVersionText(update.to);
  if (policy.select.kind === 'digest' || tag === undefined || current.tag === undefined) return false;
  const { order, read } = createTagReader(policy);
  const [now, then] = [read(current.tag, undefined), read(tag, undefined)];
  return now !== undefined && then !== undefined && order.compare(now, then) > 0;
}

/** Digests count where both have one, else tags; where nothing but a digest was added, the digest must be there. */
export function isSame(current: CurrentVersion, { from, to }: UpdateMark): boolean {
  const written = parseVersionText(to);
  const before = from === undefined ? undefined : parseVersionText(from);
  const onlyPinned = before?.digest === undefined && before?.tag === written.tag && written.digest !== undefined;
  if (onlyPinned && current.digest === undefined) return false;
  return isEqualVersion(current, written);
}

/** Whether both are the same version: by digest where both have one, else by tag. */
export function isEqualVersion(a: CurrentVersion, b: CurrentVersion): boolean {
  if (a.digest !== undefined && b.digest !== undefined) return a.digest === b.digest;
  return a.tag !== undefined && a.tag === b.tag;
}

/** `1.4.2`, `1.4.2@sha256:…` or a digest alone. */
export function parseVersionText(text: string): CurrentVersion {
  if (/^sha(?:256|384|512):/.test(text)) return { tag: undefined, digest: text };
  const [tag, digest] = text.split('@', 2);
  return { tag: tag === '' ? undefined : tag, digest };
}
