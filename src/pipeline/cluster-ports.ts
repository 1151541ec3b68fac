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
  /** Has that called after each change of a Secret that is used, in place of what was called before. */
  onSecretChange(listener: () => void): void;
  /** Undefined where nobody asks for them. */
  readonly reconcilers: Reconcilers | undefined;
  /** Keeps what is known of the cluster up to date, and tells what is to be told, until the signal aborts. Never throws. */
  run(options: CallOptions): Promise<void>;
  /** Undefined where this process works without asking. */
  readonly leadership: Leadership | undefined;
  /** Undefined where the configuration does not want it. */
  readonly status: StatusBoard | undefined;
  /** Undefined where the configuration does not want them. */
  readonly events: EventRecorder | undefined;
  /** Tells what is still to be told, where `run` does not or no longer; whatever is left when the signal aborts is lost, and that is told. Never throws. */
  flush(options: CallOptions): Promise<void>;
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

/** Whose policies these are, and whose there are: each a Yaml repo and its branch. */
export interface StandingSource {
  readonly source: string;
  readonly sources: readonly string[];
}

/** Where it is shown how policies stand. Never throws, waits for nothing. */
export interface StatusBoard {
  /**
   * All policies of one source, in place of those that it had before: of what it has no more, that is shown. Where several
   * sources have one object, the first that shows it keeps it.
   */
  show(standings: readonly PolicyStanding[], whose: StandingSource): void;
  /** Leaves to others what is shown from now on: what was told before does not count any more. */
  forget(): void;
}

/** A Secret, or another object, by its name; in Tallyman's own namespace where none is named. */
export interface SecretRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** A Secret as it is now. */
export interface ClusterSecret {
  /** For messages: `Secret "shop/git"` */
  readonly title: string;
  /** `kubernetes.io/basic-auth` */
  readonly type: string;
  /** The names alone may be shown. */
  readonly keys: readonly string[];
  /** The value of a key, as text; undefined where the Secret has no such key. */
  find(key: string): string | undefined;
}

/** The Secret as it was last told; throws SecretUnavailable where it is not there, not allowed or not told yet. */
export type ReadClusterSecret = (ref: SecretRef) => ClusterSecret;

/** A Secret by which pods pull images. */
export interface PullSecret {
  /** For messages: `Secret "shop/registry"` */
  readonly title: string;
  /** Of its `.dockerconfigjson`, else of its `.dockercfg`. */
  readonly text: string;
}

/** What may pull images, of what the operator named. */
export interface PullSecretList {
  /** In the operator's order; those of service accounts come last. */
  readonly secrets: readonly PullSecret[];
  /** Why others cannot be used now: each a SecretUnavailable. */
  readonly faults: readonly Error[];
}

/** What Kubernetes keeps for those who sign in elsewhere. It is known beforehand, so nothing is asked for here. */
export interface ClusterSecrets {
  readonly readSecret: ReadClusterSecret;
  listPullSecrets(): PullSecretList;
}

/**
 * What people are told about an object, or about Tallyman itself where `about` is undefined. Text may be of any length, and
 * of anybody; so may the names of `about`, for files say anything.
 */
export interface StatusEvent {
  /** In CamelCase: an error code, or `ImageUpdated`, `ImageProposed`, `ImageWaiting`, … */
  readonly reason: string;
  readonly type: 'Normal' | 'Warning';
  readonly about: ObjectName | undefined;
  /** In CamelCase: what was done, or tried. */
  readonly action: string;
  /** For people; what is above 1 KiB is cut off. */
  readonly note: string;
  /** What tells it from others with that reason about that object: of the note what stays while it goes on. */
  readonly id: string;
  /** Whether it is told again, as a series, for as long as it stays so. */
  readonly repeats: boolean;
}

/** Tells people through the cluster. Never throws, waits for nothing. */
export interface EventRecorder {
  /** What happened; the same again, also by another worker or after a restart, is told once. */
  record(events: readonly StatusEvent[]): void;
  /** What is so now, of one source: what is new is told, what stays is told again at a pace, and what is no longer there is over. */
  keep(source: string, events: readonly StatusEvent[]): void;
}

/** Leave to write, which may end at any moment. */
export interface WritePermit {
  /** Throws LeadershipLost where nothing may be written now: to be asked right before each write, with nothing between. */
  check(): void;
  /** Aborts with LeadershipLost once it is over, for what is under way; undefined where it does not end. */
  signal(): AbortSignal | undefined;
}

/** Who leads, as far as is known here; `other` without an address where that is not told. */
export type Leader =
  | { readonly kind: 'self' | 'nobody' }
  | { readonly kind: 'other'; readonly name: string; readonly address: string | undefined };

/** One of several processes leads, and it alone works. Until `run` this one may write: commands ask nobody. */
export interface Leadership extends WritePermit {
  /**
   * Has `lead` run whenever this process leads, with a signal that aborts when it does no more, and waits for its end before
   * it leads again. After `signal` aborts, and `lead` ended, another may lead at once. Rejects only with what `lead` threw.
   */
  run(lead: (options: CallOptions) => Promise<void>, options: CallOptions & LeadOptions): Promise<void>;
  /** Undefined before anything is known. */
  findLeader(): Leader | undefined;
}

export interface LeadOptions {
  /** Where this process can be reached by the others: `10.1.2.3:8080` */
  readonly address: string | undefined;
}
