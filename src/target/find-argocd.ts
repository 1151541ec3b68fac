import { findImageReference } from '../image/reference.ts';
import type { PathLink } from '../yaml/walk-nodes.ts';
import type { Site } from './site.ts';
import { type FoundValue, toSplitSite } from './split-image.ts';
import {
  describeUnwritable,
  endsWith,
  isPlainName,
  toSiteScalar,
  type ViewScalar,
  type YamlView,
} from './yaml-view.ts';

/**
 * Images in an Argo CD Application's source: `helm.parameters` (`image.repository` and `image.tag` are one unit, `image` alone
 * a whole reference) and `kustomize.images` (`[old=]repo[:tag][@digest]`). Wherever these lists stand, so also in an
 * ApplicationSet's template and in `.argocd-source.yaml`. Source: Argo CD's Application specification.
 */
export function findArgocd(view: YamlView): readonly Site[] {
  return [...findParameters(view), ...view.scalars.flatMap((scalar) => findImageOverride(view, scalar))];
}

interface Parameter {
  readonly name: string;
  readonly value: ViewScalar | undefined;
}

function findParameters(view: YamlView): Site[] {
  const lists = new Map<PathLink, Parameter[]>();
  for (const map of view.maps) {
    const list = map.link?.up;
    const name = map.values.get('name');
    if (list === undefined || !endsWith(map.link, ['helm', 'parameters', '#']) || name === undefined) continue;
    const parameters = lists.get(list) ?? [];
    parameters.push({ name: name.value, value: map.values.get('value') });
    lists.set(list, parameters);
  }
  return [...lists.values()].flatMap((parameters) => toParameterSites(view, parameters));
}

/** Behind a word for an image `name` is a repository too: what Argo CD Image Updater writes unless it is told otherwise. */
const splitName = /^(?:(.*)\.)?(repository|registry|tag|digest|(?<=[iI]mage\.)name)$/;

function toParameterSites(view: YamlView, parameters: readonly Parameter[]): Site[] {
  const images = new Map<string, Map<string, ViewScalar | undefined>>();
  const sites: Site[] = [];
  for (const { name, value } of parameters) {
    const match = splitName.exec(name);
    if (match === null) {
      if (/image$/i.test(name) && value !== undefined) sites.push(...toReferenceSite(view, value, value.value));
      continue;
    }
    const [, prefix = '', word = ''] = match;
    const image = images.get(prefix) ?? new Map<string, ViewScalar | undefined>();
    image.set(word, image.has(word) ? undefined : value);
    images.set(prefix, image);
  }
  for (const image of images.values()) {
    const [registry, tag, digest] = ['registry', 'tag', 'digest'].map(
      (word): FoundValue => (image.has(word) ? image.get(word) : 'absent'),
    );
    sites.push(
      ...toSplitSite(view, 'argocd', { name: image.get('repository') ?? image.get('name'), registry, tag, digest }),
    );
  }
  return sites;
}

function findImageOverride(view: YamlView, scalar: ViewScalar): Site[] {
  if (!endsWith(scalar.link, ['kustomize', 'images', '#'])) return [];
  return toReferenceSite(view, scalar, scalar.value.slice(scalar.value.lastIndexOf('=') + 1));
}

/** `reference` is the end of the value; what stands before it stays. */
function toReferenceSite(view: YamlView, scalar: ViewScalar, reference: string): Site[] {
  if (!isPlainName(scalar) || describeUnwritable(view, scalar) !== undefined) return [];
  const found = findImageReference(reference);
  if (found === undefined || (found.tag === undefined && found.digest === undefined)) return [];
  const { host, path } = found;
  const prefix = scalar.value.slice(0, scalar.value.length - reference.length);
  const scalars = [toSiteScalar(view, scalar, 'reference', prefix)];
  return [{ kind: 'argocd', claim: { by: 'repository', repository: { host, path } }, scalars }];
}
