/** What a commit says of versions that it leaves standing. */
import { groupBy } from '../collection/group-by.ts';
import type { Edit } from '../edit/plan.ts';
import { listKept } from '../hold/list-kept.ts';
import type { UpdateMark } from '../hold/marks.ts';
import { readCurrent, type Target } from '../target/target.ts';

interface Leaving {
  /** All places of the policies, before the edits. */
  readonly targets: readonly Target[];
  readonly edits: readonly Edit[];
  /** What our commits wrote earlier. */
  readonly written: readonly UpdateMark[];
}

/** What was written earlier for the policies of the edits, and stands in places that they leave alone. */
export function findKept({ targets, edits, written }: Leaving): readonly UpdateMark[] {
  const earlier = groupBy(written, ({ policy }) => policy);
  const byPolicy = groupBy(edits, ({ update }) => update.policy);
  const edited = new Set(edits.map(({ file, line, path }) => formatScalar(file, line, path)));
  const isUntouched = ({ file, site }: Target): boolean =>
    !site.scalars.some(({ line, path }) => edited.has(formatScalar(file, line, path)));
  const concerned = targets.filter(({ policy: { key } }) => byPolicy.has(key) && earlier.has(key));
  return [...groupBy(concerned, ({ policy }) => policy)].flatMap(([policy, own]) => {
    const after = {
      written: (byPolicy.get(policy.key) ?? []).map(({ update }) => update),
      untouched: own.filter(isUntouched).map(readCurrent),
    };
    return listKept(policy, earlier.get(policy.key) ?? [], after);
  });
}

function formatScalar(file: string, line: number, path: string): string {
  return `${file} ${line} ${path}`;
}
