/** Manifests in as few bytes as they need: those of many tags are kept, and publishers annotate at length. */
import type { ManifestInfo } from './ports.ts';

/** What commits tell: where the image comes from. */
const kept = ['org.opencontainers.image.source', 'org.opencontainers.image.revision'];
const maxLength = 300;

/** Without the annotations that nobody here reads, or that are longer than anybody reads. */
export function packManifest({ digest, annotations, platforms }: ManifestInfo): ManifestInfo {
  const source = kept.flatMap((key) => {
    const text = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    return text === undefined || text.length > maxLength ? [] : [[key, text] as const];
  });
  return { digest, annotations: Object.fromEntries(source), platforms };
}
