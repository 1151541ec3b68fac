/** What the work needs of the cluster that it is at home in: interfaces of plain data that cluster/ implements. */
import type { ObjectName } from '../error/tallyman-error.ts';
import type { PolicyState } from '../policy/status-schema.ts';
import type { ReconcilerName, ReconcilerObject } from '../reconcile/reconciler-object.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Objects by which Flux and Argo CD apply Git repositories. Failures are TallymanErrors: ClusterUnavailable, ClusterDenied. */
export interface Reconcilers {
  /** Those that are known; what was known stays while the cluster cannot be asked. */
  list(): Iterable<ReconcilerObject>;
  /** Whether all were listed once: then there are no others. */
  isKnown(): boolean;
  /** The object as it is now; undefined where it is not there. */
  fetch(name: ReconcilerName, options: CallOptions): Promise<ReconcilerObject | undefined>;
  /** Asks it to look at its repository now, by an annotation and nothing else; `gone` where it is not there. */
  request(name: ReconcilerName, options: CallOptions): Promise<'sent' | 'gone'>;
  /** Has that called after each change, in place of what was called before. */
  onChange(listener: () => void): void;
}

/** The cluster as the daemon has it. */
export interface ClusterSession {
  /** Undefined where nobody asks for them. */
  readonly reconcilers: Reconcilers | undefined;
  /** Keeps what is known of the cluster up to date, and tells what is to be told, until the signal aborts. Never throws. */
  run(options: CallOptions): Promise<void>;
  /** Undefined where the configuration does not want it. */
  readonly status: StatusBoard | undefined;
}

/** One condition of a policy's status. */
export interface PolicyCondition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled';
  readonly status: 'True' | 'False';
  /** In CamelCase: a state, or an error code. */
  readonly reason: string;
  readonly message: string;
}

/** How one policy stands. `{ object: { kind: 'ImagePolicy', … }, state: 'Waiting', current: '1.4.2', latest: '1.5.0', … }` */
export interface PolicyStanding {
  /** The object that the policy is written in. */
  readonly object: ObjectName;
  readonly state: PolicyState;
  /** Versions in Git, with `, ` between them; undefined where there are none, or it is not known. */
  readonly current: string | undefined;
  /** The best tag, whether it may be written now or not. */
  readonly latest: string | undefined;
  readonly reason: string | undefined;
  /** Only where this pass made one. `{ revision: 'main@sha1:4b825…', version: '1.5.0' }` */
  readonly lastCommit: { readonly revision: string; readonly version: string } | undefined;
  readonly hold: { readonly reason: string; readonly remedy: string } | undefined;
  /** When what waits may be written, in milliseconds since 1970. */
  readonly nextLookMs: number | undefined;
  /** Ready always, and what else holds. */
  readonly conditions: readonly PolicyCondition[];
}

/** Where it is shown how policies stand. Never throws, waits for nothing. */
export interface StatusBoard {
  /** Shown for each policy until it is told anew. */
  show(standings: readonly PolicyStanding[]): void;
}
