import { findImageReference } from '../image/reference.ts';
import type { Site } from './site.ts';
import { toSiteScalar, type ViewScalar, type YamlView } from './yaml-view.ts';

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'];
/** Objects whose `image:` says what to watch, not what to run. */
const watchingGroups = ['tallyman.dev/', 'image.toolkit.fluxcd.io/', 'argocd-image-updater.argoproj.io/'];

/**
 * Every `image:` whose text is an image reference: in a pod spec's containers with or without a version, elsewhere with
 * one (without, it may be half of a name and tag kept apart).
 */
export function findWorkloads(view: YamlView): readonly Site[] {
  const watching = view.file.documents.map((document) => {
    const apiVersion = document.get('apiVersion');
    return typeof apiVersion === 'string' && watchingGroups.some((group) => apiVersion.startsWith(group));
  });
  return view.scalars.flatMap((scalar) => (watching[scalar.document] ? [] : toSite(view, scalar)));
}

function toSite(view: YamlView, scalar: ViewScalar): Site[] {
  if (scalar.path.at(-1) !== 'image' || typeof scalar.node.value !== 'string') return [];
  const reference = findImageReference(scalar.value);
  if (reference === undefined) return [];
  const versioned = reference.tag !== undefined || reference.digest !== undefined;
  if (!versioned && !isContainer(scalar.path)) return [];
  const { host, path } = reference;
  return [
    {
      kind: 'workload',
      claim: { by: 'repository', repository: { host, path } },
      scalars: [toSiteScalar(view, scalar, 'reference')],
    },
  ];
}

function isContainer(path: readonly (string | number)[]): boolean {
  return typeof path.at(-2) === 'number' && containerLists.includes(String(path.at(-3)));
}
