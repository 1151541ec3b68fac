/** Objects of the cluster as they are now: listed once, and kept up to date by a watch. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { Clock } from '../pipeline/ports.ts';
import { type KubernetesApi, WatchRefused } from './api.ts';
import { formatPath, type Resource } from './resource-path.ts';

/** What every object has that is looked at here. */
export interface ClusterObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
  };
}

export interface WatchedObjects<Item extends ClusterObject> {
  /** Those that are known, by `namespace/name` (`/name` where they have no namespace); stays what it was while the server is away. */
  readonly objects: ReadonlyMap<string, Item>;
  /** Whether they were listed once, or are known to be none: the kind is not there. */
  isKnown(): boolean;
  /** Keeps them up to date until the signal aborts. Never throws. */
  run(options: { signal: AbortSignal }): Promise<void>;
}

export interface WatchOptions<Item extends ClusterObject> {
  readonly resource: Resource;
  /** Of all namespaces where left out. */
  readonly namespace?: string;
  /** `metadata.name=web`: RBAC by name allows list and watch only with that. */
  readonly fieldSelector?: string;
  readonly clock: Clock;
  /** Called after each change; `undefined` where the object is gone. */
  readonly onChange?: (key: string, object: Item | undefined) => void;
  /** Called with what keeps them from being known, after each try; with undefined once they are known again. */
  readonly onProblem?: (problem: Problem | undefined) => void;
  /** Keeps of each object what is needed; default all of it. Of the metadata no more is kept than what every object has here. */
  readonly shrink?: (object: Item) => Item;
}

const pageSize = 500;
const firstPauseMs = 500;
const maxPauseMs = 30_000;
/** A kind that the cluster does not have may be installed later. */
const absentPauseMs = 60_000;

/** Nothing is known before `run`. */
export function createWatchedObjects<Item extends ClusterObject>(
  api: Pick<KubernetesApi, 'request' | 'watch'>,
  options: WatchOptions<Item>,
): WatchedObjects<Item> {
  const { resource, namespace, fieldSelector, clock, onChange, onProblem, shrink = (item) => item } = options;
  const path = formatPath(resource, { namespace });
  const selector: Record<string, string> = fieldSelector === undefined ? {} : { fieldSelector };
  const objects = new Map<string, Item>();
  let isKnown = false;

  function put(item: Item): void {
    const kept = { ...shrink(item), metadata: keepNames(item.metadata) };
    objects.set(formatPlace(item.metadata), kept);
    onChange?.(formatPlace(item.metadata), kept);
  }

  function drop(key: string): void {
    if (objects.delete(key)) onChange?.(key, undefined);
  }

  /** The version from which to watch; undefined where the cluster does not have the kind. */
  async function list(signal: AbortSignal): Promise<string | undefined> {
    const { found, version } = await listAll<Item>(api, { path, selector, signal });
    for (const key of [...objects.keys()]) if (!found.has(key)) drop(key);
    for (const [key, item] of found)
      if (objects.get(key)?.metadata.resourceVersion !== item.metadata.resourceVersion) put(item);
    return version;
  }

  /** The version that was seen last; ends when the server ends the watch. */
  async function follow(from: string, signal: AbortSignal): Promise<string> {
    let version = from;
    const query = { ...selector, resourceVersion: from };
    for await (const { type, object } of api.watch({ path, query, signal })) {
      if (type === 'ERROR') throw readFailure(object);
      const item = object as Item;
      if (type === 'ADDED' || type === 'MODIFIED') put(item);
      else if (type === 'DELETED') drop(formatPlace(item.metadata));
      version = item.metadata.resourceVersion ?? version;
    }
    return version;
  }

  return {
    objects,
    isKnown: () => isKnown,
    async run({ signal }) {
      let version: string | undefined;
      let pauseMs = 0;
      while (!signal.aborted) {
        try {
          version ??= await list(signal);
          isKnown = true;
          onProblem?.(undefined);
          if (version === undefined) await clock.sleep(absentPauseMs, { signal });
          else version = await follow(version, signal);
          pauseMs = 0;
          // Whoever ends watches as soon as they begin is not asked without end.
          await clock.sleep(firstPauseMs, { signal });
        } catch (error) {
          if (signal.aborted) return;
          // What was seen last is too long ago, or nobody knows: all is listed anew.
          version = undefined;
          const problem = describeFailure(error, path);
          if (problem !== undefined) onProblem?.(problem);
          pauseMs = Math.min(Math.max(firstPauseMs, 2 * pauseMs), maxPauseMs);
          await clock.sleep(pauseMs * (0.5 + clock.random()), { signal });
        }
      }
    },
  };
}

/** Undefined where the next list tells more: what was seen last is too long ago, or the kind was there and is no more. */
function describeFailure(error: unknown, path: string): Problem | undefined {
  if (!(error instanceof WatchRefused)) return toProblem(error);
  if (error.status === 410 || error.status === 404) return undefined;
  const message = `Cannot watch ${path}: the API server says "${error.message}", its objects were wanted`;
  return createProblem('ClusterUnavailable', message);
}

/** What the server says in the midst of a watch. */
function readFailure(object: unknown): WatchRefused {
  const { code = 0, message = 'the watch failed' } = object as { readonly code?: number; readonly message?: string };
  return new WatchRefused(code, message.slice(0, 500));
}

/** Of many objects what others write there is most of it, and kubectl keeps even a Secret's values in an annotation. */
function keepNames({
  name,
  namespace,
  uid,
  resourceVersion,
  generation,
}: ClusterObject['metadata']): ClusterObject['metadata'] {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(generation !== undefined && { generation }),
  };
}

/** Page by page. None, and no version, where the cluster does not have the kind. */
async function listAll<Item extends ClusterObject>(
  api: Pick<KubernetesApi, 'request'>,
  { path, selector, signal }: { path: string; selector: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<{ found: ReadonlyMap<string, Item>; version: string | undefined }> {
  const found = new Map<string, Item>();
  let from: string | undefined;
  for (;;) {
    const query = { ...selector, limit: String(pageSize), ...(from !== undefined && { continue: from }) };
    const answer = await api.request<List<Item>>({ method: 'GET', path, query, signal });
    if (answer.kind === 'refused' && answer.status === 404) return { found: new Map(), version: undefined };
    if (answer.kind === 'refused') throw new WatchRefused(answer.status, answer.message);
    for (const item of answer.body.items) found.set(formatPlace(item.metadata), item);
    const { resourceVersion, continue: next } = answer.body.metadata;
    if (!next) return { found, version: resourceVersion };
    from = next;
  }
}

interface List<Item> {
  readonly items: readonly Item[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** What watched objects are kept by: `shop/git`, `/node-1` where there is no namespace. */
export function formatPlace({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
