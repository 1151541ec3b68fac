/** Reads the upload times that GCR and Artifact Registry send along with a tag list. */
import { isObject } from './json.ts';

/** Nothing was pushed before there were registries, nothing will be for a while: other times are no times. */
const earliestMs = Date.UTC(2013, 0);
const latestMs = Date.UTC(2100, 0);

/**
 * Adds to `pushedMs` when each tag's manifest was uploaded, in milliseconds since 1970, by the registry's own clock. A tag
 * put on a manifest that was there before counts as old as that. `manifest` is the member of that name in GCR's answer:
 * `{ "sha256:…": { "tag": ["1.0"], "timeUploadedMs": "1735689600000" } }`.
 */
export function readUploadTimes(manifest: unknown, pushedMs: Map<string, number>): void {
  if (!isObject(manifest)) return;
  for (const entry of Object.values(manifest)) {
    if (!isObject(entry) || !Array.isArray(entry.tag)) continue;
    const uploadedMs = Number(entry.timeUploadedMs);
    if (!(uploadedMs >= earliestMs && uploadedMs <= latestMs)) continue;
    for (const tag of entry.tag) if (typeof tag === 'string') pushedMs.set(tag, uploadedMs);
  }
}
