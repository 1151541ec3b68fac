import { findImageReference, type ImageRepository } from '../image/reference.ts';
import type { Site, TargetKind } from './site.ts';
import { describeUnwritable, isPlainName, toSiteScalar, type ViewScalar, type YamlView } from './yaml-view.ts';

/** An image whose name and version stand apart: what stands under each key, and whether the key is there at all. */
export interface SplitImage {
  readonly name: ViewScalar | undefined;
  /** Host that is joined before the name; empty counts as none. */
  readonly registry: FoundValue;
  readonly tag: FoundValue;
  readonly digest: FoundValue;
}

/** `absent`: no such key; undefined: its value is none that can be looked into. */
export type FoundValue = ViewScalar | undefined | 'absent';

/** What stands under the key of a map's `values`. */
export function findValue(values: ReadonlyMap<string, ViewScalar | undefined>, key: string): FoundValue {
  return values.has(key) ? values.get(key) : 'absent';
}

/**
 * The site of such an image, its tag and its digest one unit; none where the name is no repository, where there is neither
 * tag nor digest, or where one of the values cannot be looked into (an alias, a key that stands twice).
 */
export function toSplitSite(view: YamlView, kind: TargetKind, image: SplitImage): Site[] {
  const { name, registry, tag, digest } = image;
  if (registry === undefined || !isWritable(view, tag) || !isWritable(view, digest)) return [];
  const repository = readRepository(name, registry);
  if (repository === undefined || (tag === 'absent' && digest === 'absent')) return [];
  return [
    {
      kind,
      claim: { by: 'repository', repository },
      scalars: [
        ...(tag === 'absent' ? [] : [toSiteScalar(view, tag, 'tag')]),
        ...(digest === 'absent' ? [] : [toSiteScalar(view, digest, 'digest')]),
      ],
    },
  ];
}

function isWritable(view: YamlView, value: FoundValue): value is ViewScalar | 'absent' {
  return value === 'absent' || (value !== undefined && describeUnwritable(view, value) === undefined);
}

function readRepository(name: ViewScalar | undefined, registry: ViewScalar | 'absent'): ImageRepository | undefined {
  if (!isPlainName(name)) return undefined;
  const host = registry === 'absent' || registry.node.value === null ? '' : registry.value;
  const reference = findImageReference(host === '' ? name.value : `${host}/${name.value}`);
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined) return undefined;
  return { host: reference.host, path: reference.path };
}
