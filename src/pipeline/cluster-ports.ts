/** What the work needs of the cluster that it is at home in: interfaces of plain data that cluster/ implements. */

interface CallOptions {
  readonly signal: AbortSignal;
}

/** The cluster as the daemon has it. */
export interface ClusterSession {
  /** Keeps what is known of the cluster up to date, and tells what is to be told, until the signal aborts. Never throws. */
  run(options: CallOptions): Promise<void>;
}
