import { isMap, isSeq } from 'yaml';
import type { PathLink } from '../yaml/walk-nodes.ts';
import type { YamlView } from './yaml-view.ts';

/** Objects whose images say what to watch, not what to run. */
const watchingGroups = ['tallyman.dev/', 'image.toolkit.fluxcd.io/', 'argocd-image-updater.argoproj.io/'];

/** Tells for a place whether it is inside an object that says what to watch, also as an item of a `kind: List`. */
export function createWatchCheck(view: YamlView): (place: { document: number; link: PathLink | undefined }) => boolean {
  const documents = view.file.documents.map(({ contents }) => {
    const items = isMap(contents) ? contents.get('items', true) : undefined;
    return { whole: isWatching(contents), items: isSeq(items) ? items.items.map(isWatching) : [] };
  });
  return ({ document, link }) => {
    const found = documents[document];
    if (found === undefined || found.whole) return found?.whole === true;
    if (!found.items.includes(true)) return false;
    let at = link;
    while (at?.up?.up !== undefined) at = at.up;
    return at?.up?.step === 'items' && typeof at.step === 'number' && found.items[at.step] === true;
  };
}

function isWatching(object: unknown): boolean {
  const apiVersion = isMap(object) ? object.get('apiVersion') : undefined;
  return typeof apiVersion === 'string' && watchingGroups.some((group) => apiVersion.startsWith(group));
}
