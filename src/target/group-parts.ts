import { groupBy } from '../collection/group-by.ts';
import type { Part, Site, SiteKind } from './site.ts';
import { toSiteScalar, type ViewScalar, type YamlView } from './yaml-view.ts';

/** A value that somebody said carries a part of a policy's image. */
export interface NamedPart {
  readonly policy: string;
  readonly part: Part;
  readonly scalar: ViewScalar;
}

/** One site for each image: different parts side by side in one map move together; a whole reference, or a part named twice there, stands alone. */
export function groupParts(view: YamlView, kind: SiteKind, named: readonly NamedPart[]): readonly Site[] {
  const taken = new Set<string>();
  return [...groupBy(named, (entry) => groupKey(taken, entry)).values()].map((group) => ({
    kind,
    claim: { by: 'policy', policy: group[0]?.policy ?? '' },
    scalars: group.map(({ scalar, part }) => toSiteScalar(view, scalar, part)),
  }));
}

/** `taken` gathers which parts the maps have had so far. */
function groupKey(taken: Set<string>, { policy, part, scalar }: NamedPart): string {
  const alone = `${policy} at ${scalar.node.range[0]}`;
  if (part === 'reference' || scalar.parent === undefined) return alone;
  const shared = `${policy} in ${scalar.parent.range[0]}`;
  const own = `${part} of ${shared}`;
  if (taken.has(own)) return alone;
  taken.add(own);
  return shared;
}
