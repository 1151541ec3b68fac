import { findImageReference } from '../image/reference.ts';
import type { Site } from './site.ts';
import {
  describeUnwritable,
  endsWith,
  isPlainName,
  toSiteScalar,
  type ViewScalar,
  type YamlView,
} from './yaml-view.ts';

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'];

/**
 * Every `image:` whose text is an image reference: in a pod spec's containers with or without a version, elsewhere with
 * one (without, it may be half of a name and tag kept apart).
 */
export function findWorkloads(view: YamlView): readonly Site[] {
  return view.scalars.flatMap((scalar) => toSite(view, scalar));
}

function toSite(view: YamlView, scalar: ViewScalar): Site[] {
  if (!endsWith(scalar.link, ['image']) || !isPlainName(scalar)) return [];
  const reference = findImageReference(scalar.value);
  if (reference === undefined || describeUnwritable(view, scalar) !== undefined) return [];
  const versioned = reference.tag !== undefined || reference.digest !== undefined;
  if (!versioned && !containerLists.some((list) => endsWith(scalar.link, [list, '#', 'image']))) return [];
  const { host, path } = reference;
  return [
    {
      kind: 'workload',
      claim: { by: 'repository', repository: { host, path } },
      scalars: [toSiteScalar(view, scalar, 'reference')],
    },
  ];
}
