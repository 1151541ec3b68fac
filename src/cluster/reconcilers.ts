/** Flux and Argo CD: their objects as they are now, and how they are asked to look at their repository. */
import type { Problem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Reconcilers } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { readApplication } from '../reconcile/read-application.ts';
import { readGitRepository, readHelmRelease, readKustomization } from '../reconcile/read-flux.ts';
import {
  formatName,
  type ReconcilerKind,
  type ReconcilerName,
  type ReconcilerObject,
} from '../reconcile/reconciler-object.ts';
import type { KubernetesApi } from './api.ts';
import { formatPath, type Resource } from './resource-path.ts';
import { type ClusterObject, createWatchedObjects, type WatchedObjects } from './watch-objects.ts';

interface KindRow {
  readonly product: 'flux' | 'argocd';
  readonly resource: Resource;
  readonly read: (object: unknown, place: { namespace: string; name: string }) => ReconcilerObject;
  /** What has it look at once. Source: "Triggering a reconcile" of Flux, "Refresh" of Argo CD's annotations. */
  readonly annotate: (wallMs: number) => Readonly<Record<string, string>>;
}

const requestFlux = (wallMs: number) => ({ 'reconcile.fluxcd.io/requestedAt': new Date(wallMs).toISOString() });

const kinds: Readonly<Record<ReconcilerKind, KindRow>> = {
  GitRepository: {
    product: 'flux',
    resource: { group: 'source.toolkit.fluxcd.io', version: 'v1', plural: 'gitrepositories' },
    read: readGitRepository,
    annotate: requestFlux,
  },
  Kustomization: {
    product: 'flux',
    resource: { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', plural: 'kustomizations' },
    read: readKustomization,
    annotate: requestFlux,
  },
  HelmRelease: {
    product: 'flux',
    resource: { group: 'helm.toolkit.fluxcd.io', version: 'v2', plural: 'helmreleases' },
    read: readHelmRelease,
    annotate: requestFlux,
  },
  Application: {
    product: 'argocd',
    resource: { group: 'argoproj.io', version: 'v1alpha1', plural: 'applications' },
    read: readApplication,
    annotate: () => ({ 'argocd.argoproj.io/refresh': 'normal' }),
  },
};

export interface ReconcilerOptions {
  readonly clock: Clock;
  /** Whose objects are looked at. */
  readonly products: readonly KindRow['product'][];
  /** Where they are looked for; undefined for everywhere. */
  readonly namespaces: readonly string[] | undefined;
  readonly createTeller: () => (problem: Problem | undefined) => void;
}

export interface WatchedReconcilers extends Reconcilers {
  /** Keeps them up to date until the signal aborts. Never throws. */
  run(options: { signal: AbortSignal }): Promise<void>;
}

/** Of an object only what is read of it is kept. */
interface KeptObject extends ClusterObject {
  readonly kept?: ReconcilerObject;
}

/** Nothing is known before `run`. */
export function createReconcilers(api: KubernetesApi, options: ReconcilerOptions): WatchedReconcilers {
  const { clock, products, namespaces } = options;
  let listener = (): void => {};
  const tell = createWatchTeller(options.createTeller);
  const names = (Object.keys(kinds) as ReconcilerKind[]).filter((kind) => products.includes(kinds[kind].product));
  const watches = names.flatMap((kind) =>
    (namespaces ?? [undefined]).map((namespace): WatchedObjects<KeptObject> => {
      const { resource, read } = kinds[kind];
      let wasKnown = false;
      const watch: WatchedObjects<KeptObject> = createWatchedObjects<KeptObject>(api, {
        resource,
        ...(namespace !== undefined && { namespace }),
        clock,
        shrink: ({ metadata, ...fields }) => ({
          metadata,
          kept: read({ metadata, ...fields }, { namespace: metadata.namespace ?? '', name: metadata.name }),
        }),
        onChange: () => listener(),
        onProblem(problem) {
          tell(`${kind} ${namespace ?? ''}`, problem);
          // That there are none is news too, once.
          if (watch.isKnown() && !wasKnown) listener();
          wasKnown = watch.isKnown();
        },
      });
      return watch;
    }),
  );

  return {
    *list() {
      for (const { objects } of watches) for (const { kept } of objects.values()) if (kept !== undefined) yield kept;
    },
    isKnown: () => watches.every((watch) => watch.isKnown()),
    async fetch({ kind, namespace, name }, { signal }) {
      const { resource, read } = kinds[kind];
      const path = formatPath(resource, { namespace, name });
      const answer = await api.request<unknown>({ method: 'GET', path, signal });
      return answer.kind === 'done' ? read(answer.body, { namespace, name }) : undefined;
    },
    async request(name, { signal }) {
      return await requestLook(api, name, { wallMs: clock.wallMs(), signal });
    },
    onChange(next) {
      listener = next;
    },
    async run({ signal }) {
      await Promise.all(watches.map((watch) => watch.run({ signal })));
    },
  };
}

async function requestLook(
  api: KubernetesApi,
  { kind, namespace, name }: ReconcilerName,
  { wallMs, signal }: { wallMs: number; signal: AbortSignal },
): Promise<'sent' | 'gone'> {
  const { resource, annotate } = kinds[kind];
  const answer = await api.request({
    method: 'PATCH',
    path: formatPath(resource, { namespace, name }),
    query: { fieldManager: 'tallyman' },
    body: { metadata: { annotations: annotate(wallMs) } },
    contentType: 'application/merge-patch+json',
    signal,
  });
  if (answer.kind === 'done') return 'sent';
  if (answer.status === 404) return 'gone';
  const message = `Cannot annotate ${formatName({ kind, namespace, name })}: the API server says "${answer.message}", its consent was wanted`;
  throw new TallymanError('ClusterDenied', message);
}

/** That the API server is away is told once for all watches, what is not allowed once for each. */
function createWatchTeller(createTeller: ReconcilerOptions['createTeller']) {
  const away = new Set<string>();
  const tellAway = createTeller();
  const denied = new Map<string, (problem: Problem | undefined) => void>();
  return (watch: string, problem: Problem | undefined): void => {
    const tellDenied = denied.get(watch) ?? createTeller();
    denied.set(watch, tellDenied);
    const isDenied = problem?.code === 'ClusterDenied';
    tellDenied(isDenied ? problem : undefined);
    if (problem === undefined || isDenied) {
      if (away.delete(watch) && away.size === 0) tellAway(undefined);
    } else {
      if (away.size === 0) tellAway(problem);
      away.add(watch);
    }
  };
}
