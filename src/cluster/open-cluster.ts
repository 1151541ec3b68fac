/** What Tallyman does in a cluster, put together. Loaded only where `kubernetes` is not off. */
import type { Problem } from '../error/problem.ts';
import type { ClusterSession } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { KubernetesApi } from './api.ts';
import { type ClusterPlace, connectCluster } from './connect.ts';
import { watchPolicyObjects } from './policy-objects.ts';
import { createStatusWriter } from './policy-status.ts';

export interface ClusterOptions {
  readonly clock: Clock;
  /** Tells what keeps a part from working once, and that it is over; each part has a teller of its own. */
  readonly createTeller: () => (problem: Problem | undefined) => void;
}

export interface Cluster extends ClusterSession {
  readonly api: KubernetesApi;
  close(): void;
}

/** What of it the configuration wants. */
interface ClusterParts extends ClusterPlace {
  readonly status: boolean;
}

/** Nothing is contacted before `run`. Throws `ConfigInvalid`. */
export function openCluster(wanted: ClusterParts, { clock, createTeller }: ClusterOptions): Cluster {
  const api = connectCluster(wanted);
  const policies = watchPolicyObjects(api, {
    clock,
    onProblem: createTeller(),
    onChange: (key) => status?.touch(key),
  });
  const status = wanted.status
    ? createStatusWriter({ api, clock, objects: policies, onProblem: createTeller() })
    : undefined;
  return {
    api,
    status,
    async run(options) {
      await Promise.all([policies.run(options), status?.run(options)]);
    },
    close: api.close,
  };
}
