import type { Site } from './site.ts';
import { findValue, toSplitSite } from './split-image.ts';
import type { ViewMap, YamlView } from './yaml-view.ts';

/**
 * Helm's way of writing an image, in any map of any document: `{registry, repository, tag, digest}`, the registry left out
 * or not; `name` counts as the repository under a key that ends in `image`. Source: the Helm charts' convention for values.
 */
export function findHelmValues(view: YamlView): readonly Site[] {
  return view.maps.flatMap((map) => {
    const { values } = map;
    const name = values.has('repository') || !standsUnderImage(map) ? values.get('repository') : values.get('name');
    const [registry, tag, digest] = ['registry', 'tag', 'digest'].map((key) => findValue(values, key));
    return name === undefined ? [] : toSplitSite(view, 'helm', { name, registry, tag, digest });
  });
}

/** `image`, `sidecarImage`. */
function standsUnderImage({ link }: ViewMap): boolean {
  return /image$/i.test(String(link?.step ?? ''));
}
