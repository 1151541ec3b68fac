/** What Tallyman does in a cluster, put together. Loaded only where `kubernetes` is not off. */
import type { Problem } from '../error/problem.ts';
import type { ClusterSession } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { KubernetesApi } from './api.ts';
import { type ClusterPlace, connectCluster } from './connect.ts';

export interface ClusterOptions {
  readonly clock: Clock;
  /** Tells what keeps a part from working once, and that it is over; each part has a teller of its own. */
  readonly createTeller: () => (problem: Problem | undefined) => void;
}

export interface Cluster extends ClusterSession {
  readonly api: KubernetesApi;
  close(): void;
}

/** Nothing is contacted before `run`. Throws `ConfigInvalid`. */
export function openCluster(place: ClusterPlace, _options: ClusterOptions): Cluster {
  const api = connectCluster(place);
  return {
    api,
    async run() {},
    close: api.close,
  };
}
