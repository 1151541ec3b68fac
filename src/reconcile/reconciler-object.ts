/** What Flux and Argo CD say of the objects by which they apply a Git repository, as far as it is of interest. Plain data, without anything unbounded. */

export type ReconcilerKind = 'GitRepository' | 'Kustomization' | 'HelmRelease' | 'Application';

/** `{ kind: 'Kustomization', namespace: 'flux-system', name: 'apps' }` */
export interface ReconcilerName {
  readonly kind: ReconcilerKind;
  readonly namespace: string;
  readonly name: string;
}

/** Flux's condition `Ready`. `{ status: 'False', reason: 'BuildFailed', message: 'kustomize build failed' }` */
export interface ReadyReport {
  /** `True`, `False` or `Unknown`. */
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** From where Flux takes a Git repository. */
export interface GitSource extends ReconcilerName {
  readonly kind: 'GitRepository';
  readonly url: string;
  /** Undefined where it follows no branch, but a tag, a range, a commit or another ref. */
  readonly branch: string | undefined;
  readonly isSuspended: boolean;
  /** The commit that it has fetched. */
  readonly fetched: string | undefined;
  readonly ready: ReadyReport | undefined;
}

/** Which GitRepository an object takes its files from. */
export interface SourceName {
  readonly namespace: string;
  readonly name: string;
}

/** A folder of a source, which Flux applies. */
export interface Kustomization extends ReconcilerName {
  readonly kind: 'Kustomization';
  /** Undefined where it is no GitRepository. */
  readonly source: SourceName | undefined;
  readonly path: string;
  readonly isSuspended: boolean;
  /** The commit that was applied last, checked for health where that is asked for. */
  readonly applied: string | undefined;
  /** The commit that was tried last, whatever came of it. */
  readonly attempted: string | undefined;
  readonly ready: ReadyReport | undefined;
}

/** A chart that stands in a source, which Flux installs. */
export interface HelmRelease extends ReconcilerName {
  readonly kind: 'HelmRelease';
  readonly source: SourceName | undefined;
  /** Folder of the chart. */
  readonly path: string;
  readonly isSuspended: boolean;
  /** Whether its chart is built anew for each commit, not only for a new version of the chart: then that version tells the commit. */
  readonly followsCommits: boolean;
  /** The beginning of the commit whose chart was tried last; undefined where none was, or it is not told. */
  readonly attempted: string | undefined;
  /** Whether that very chart is the newest release; undefined where releases are not told. */
  readonly isReleased: boolean | undefined;
  readonly isReconciling: boolean;
  readonly ready: ReadyReport | undefined;
}

/** One source of an Application. */
export interface ApplicationSource {
  readonly url: string;
  /** As written: a branch, `HEAD`, a tag, a range, a commit; empty for HEAD. */
  readonly revision: string;
  /** Folders that its manifests are made of, relative to the repository's root; empty text for all of it. */
  readonly paths: readonly string[];
  /** From a registry of charts, so from no Git repository. */
  readonly isChart: boolean;
  /** The commit that the cluster was compared with last. */
  readonly compared: string | undefined;
  /** The commit that the last sync was of. */
  readonly synced: string | undefined;
}

/** What Argo CD applies. */
export interface Application extends ReconcilerName {
  readonly kind: 'Application';
  readonly sources: readonly ApplicationSource[];
  /** Whether it syncs by itself. */
  readonly isAutomated: boolean;
  /** `Synced`, `OutOfSync` or `Unknown`; empty where it was never compared. */
  readonly syncStatus: string;
  /** `Healthy`, `Progressing`, `Degraded`, …; empty where that is not told. */
  readonly health: string;
  /** The last sync; undefined where there was none. */
  readonly operation: SyncOperation | undefined;
  /** What keeps it from being compared or synced; empty for nothing. */
  readonly fault: string;
}

export interface SyncOperation {
  /** `Running`, `Succeeded`, `Failed`, `Error` or `Terminating`. */
  readonly phase: string;
  readonly message: string;
  /** Of some of its resources only, or for show. */
  readonly isPartial: boolean;
}

export type ReconcilerObject = GitSource | Kustomization | HelmRelease | Application;

/**
 * For people: kind, namespace and name.
 *
 * @example
 * formatName({ kind: 'Application', namespace: 'argocd', name: 'shop' }) // 'Application argocd/shop'
 */
export function formatName({ kind, namespace, name }: ReconcilerName): string {
  return `${kind} ${namespace}/${name}`;
}
