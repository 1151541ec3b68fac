/** Whether a version that we wrote was taken away again: what places have now, against what they had. */
import type { Policy } from '../policy/policy.ts';
import { createTagReader } from '../select/tag-reader.ts';
import { type CurrentVersion, formatPlace, readCurrent, type Target } from '../target/target.ts';
import type { UpdateMark } from './marks.ts';

/** A file in which places are without a version that we wrote: had one of them it once, it was taken away. */
export interface Suspect {
  readonly update: UpdateMark;
  readonly file: string;
  /** `web.yaml:12 spec.containers[0].image`, the first of those without it. */
  readonly place: string;
  readonly line: number | undefined;
  /** Places of the file that have it, or a newer one, now. */
  readonly having: number;
}

/** The files of the policy's present targets that may have lost one of these versions. None where all have them, or newer ones. */
export function listSuspects(
  policy: Policy,
  written: readonly UpdateMark[],
  targets: readonly Target[],
): readonly Suspect[] {
  const files = new Map<string, Target[]>();
  for (const target of targets) files.set(target.file, [...(files.get(target.file) ?? []), target]);
  return written.flatMap((update) =>
    [...files].flatMap(([file, inFile]): Suspect[] => {
      const without = inFile.filter((target) => !hasVersion(policy, readCurrent(target), update));
      const [first] = without;
      if (first === undefined) return [];
      const { line } = first.site.scalars[0] ?? {};
      return [{ update, file, place: formatPlace(first), line, having: inFile.length - without.length }];
    }),
  );
}

/** Whether the file lost the version, where its places had these once. */
export function isLost({ update, having }: Suspect, past: readonly CurrentVersion[]): boolean {
  return past.filter((version) => isSame(version, update)).length > having;
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
