import { markerNeedle } from '../yaml/scan-lexemes.ts';
import type { Part } from './site.ts';

/** What a marker says. `{ policy: 'shop/web', part: 'tag' }` */
export interface Marker {
  readonly policy: string;
  readonly part: Part;
}

const parts: Readonly<Record<string, Part>> = { '': 'reference', tag: 'tag', name: 'name', digest: 'digest' };
/** Other words around the object, other keys after ours and any spacing are fine. */
const markerPattern = /\{[^{}]*?"\$imagepolicy"\s*:\s*"([^"]*)"[^{}]*\}/;
const valuePattern = /^([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?):([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)(?::([a-z]*))?$/;

/**
 * The marker in a comment, or what is wrong with it. Grammar: Flux's image policy marker,
 * `{"$imagepolicy": "<namespace>:<name>[:tag|:name|:digest]"}`.
 */
export function parseMarker(comment: string): Marker | { readonly fault: string } {
  if (comment.indexOf(markerNeedle) !== comment.lastIndexOf(markerNeedle))
    return { fault: 'several markers stand in one comment, one was wanted' };
  const value = markerPattern.exec(comment.slice(0, maxCommentChars))?.[1];
  if (value === undefined) return { fault: 'it is not of the form {"$imagepolicy": "<namespace>:<policy>"}' };
  const match = valuePattern.exec(value);
  if (match === null)
    return { fault: `${JSON.stringify(value)} is not of the form <namespace>:<policy>[:tag|:name|:digest]` };
  const word = match[3] ?? '';
  const part = Object.hasOwn(parts, word) ? parts[word] : undefined;
  if (part === undefined) return { fault: `the part ":${word}" is not known, :tag, :name or :digest was wanted` };
  return { policy: `${match[1]}/${match[2]}`, part };
}

/** A marker is looked for in the first 1,000 characters of a comment: bounds the pattern's work. */
const maxCommentChars = 1000;
