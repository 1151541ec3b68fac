import { isMap } from 'yaml';
import type { Site } from './site.ts';
import { findValue, toSplitSite } from './split-image.ts';
import { endsWith, type ViewMap, type YamlView } from './yaml-view.ts';

/** Objects with such a list; a file without a kind is a Kustomization too. */
const kinds = [undefined, 'Kustomization', 'Component'];

/**
 * The entries of a Kustomization's `images:` that write a version: `{name, newName, newTag, digest}`, about the image that
 * they put in. Also the `spec.images` of Flux's Kustomization. Source: Kustomize's image transformer.
 */
export function findKustomize(view: YamlView): readonly Site[] {
  const kindOf = view.file.documents.map(({ contents }) => (isMap(contents) ? contents.get('kind') : undefined));
  return view.maps.flatMap((map) => {
    if (!isImageEntry(map, kindOf[map.document])) return [];
    const { values } = map;
    return toSplitSite(view, 'kustomize', {
      name: values.has('newName') ? values.get('newName') : values.get('name'),
      registry: 'absent',
      tag: findValue(values, 'newTag'),
      digest: findValue(values, 'digest'),
    });
  });
}

function isImageEntry({ link, values }: ViewMap, kind: unknown): boolean {
  if (!values.has('name') || !endsWith(link, ['images', '#'])) return false;
  const holder = link?.up?.up;
  if (holder === undefined) return kinds.includes(kind as string | undefined);
  return kind === 'Kustomization' && holder.up === undefined && endsWith(holder, ['spec']);
}
