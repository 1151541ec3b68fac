/** Objects of a pack that are kept for the deltas that build on them. */
import type { GitObject } from './object.ts';

export interface ObjectCache {
  get(offset: number): GitObject | undefined;
  set(offset: number, object: GitObject): void;
}

/** Objects by their offset; the oldest go when the bodies grow above the limit, and one above a quarter of it is not kept. */
export function createObjectCache(maxBytes: number): ObjectCache {
  const objects = new Map<number, GitObject>();
  let bytes = 0;
  return {
    get: (offset) => objects.get(offset),
    set(offset, object) {
      if (objects.has(offset) || object.body.length > maxBytes / 4) return;
      objects.set(offset, object);
      bytes += object.body.length;
      for (const [oldest, old] of objects) {
        if (bytes <= maxBytes) return;
        objects.delete(oldest);
        bytes -= old.body.length;
      }
    },
  };
}
