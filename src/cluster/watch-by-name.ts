/** One object, watched by its name: RBAC that names it is enough. */
import type { Problem } from '../error/problem.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { KubernetesApi } from './api.ts';
import type { Resource } from './resource-path.ts';
import { type ClusterObject, createWatchedObjects, formatPlace } from './watch-objects.ts';

/** Where it is. `{ namespace: 'shop', name: 'git' }` */
export interface NamedPlace {
  readonly namespace: string;
  readonly name: string;
}

export interface WatchedByName<Item extends ClusterObject> {
  readonly place: NamedPlace;
  /** As it was told last; stays while the server is away. */
  find(): Item | undefined;
  /** Whether the server said once what is there, or that nothing is. */
  isKnown(): boolean;
  /** What keeps it from being known anew. */
  problem(): Problem | undefined;
  stop(): void;
}

interface WatchByNameOptions<Item extends ClusterObject> {
  readonly resource: Resource;
  readonly place: NamedPlace;
  readonly clock: Clock;
  /** Keeps of the object what is needed. */
  readonly shrink: (object: Item) => Item;
  /** Called after each try. */
  readonly onNews: () => void;
  /** Called after it came, went or became something else. */
  readonly onDifference: () => void;
}

/** Watches from now on, until it is stopped. */
export function watchByName<Item extends ClusterObject>(
  api: KubernetesApi,
  { resource, place, clock, shrink, onNews, onDifference }: WatchByNameOptions<Item>,
): WatchedByName<Item> {
  const stop = new AbortController();
  let problem: Problem | undefined;
  let known: string | undefined;
  const watched = createWatchedObjects<Item>(api, {
    resource,
    namespace: place.namespace,
    fieldSelector: `metadata.name=${place.name}`,
    clock,
    shrink,
    onChange(_key, object) {
      // Others touch an object for their own purposes.
      const now = object && JSON.stringify({ ...object, metadata: undefined });
      if (now === known) return;
      known = now;
      onDifference();
    },
    onProblem(found) {
      problem = found;
      onNews();
    },
  });
  // It never throws.
  void watched.run({ signal: stop.signal });
  return {
    place,
    find: () => watched.objects.get(formatPlace(place)),
    isKnown: watched.isKnown,
    problem: () => problem,
    stop: () => stop.abort(new Error('not wanted any more')),
  };
}
