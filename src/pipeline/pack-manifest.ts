/** Manifests in as few bytes as they need: those of many tags are kept, and publishers annotate at length. */
import { z } from 'zod';
import { isDigest } from '../image/reference.ts';
import type { ManifestInfo } from './ports.ts';
import { readJson } from './write-learned.ts';

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

/** What was packed, as text. */
export function writeManifest({ digest, annotations, platforms }: ManifestInfo): string {
  return JSON.stringify({ digest, annotations, platforms } satisfies z.input<typeof written>);
}

/** What was written; undefined where it was not written so. */
export function readManifest(text: string): ManifestInfo | undefined {
  const found = readJson(written, text);
  return found && packManifest({ platforms: undefined, ...found });
}

const written = z.object({
  digest: z.string().refine(isDigest),
  annotations: z.record(z.string(), z.string()),
  platforms: z.array(z.string()).readonly().optional(),
});
