/** What Tallyman does in a cluster, put together. Loaded only where `kubernetes` is not off. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Problem } from '../error/problem.ts';
import type { ClusterSession, Leadership } from '../pipeline/cluster-ports.ts';
import type { Metrics, Sample } from '../pipeline/metrics-ports.ts';
import type { Clock, Log } from '../pipeline/ports.ts';
import type { KubernetesApi } from './api.ts';
import { type ClusterPlace, connectCluster } from './connect.ts';
import { createLeadership } from './leadership.ts';
import { createLeaseStore } from './lease-store.ts';
import { type OwnPod, openEvents } from './open-events.ts';
import { watchPolicyObjects } from './policy-objects.ts';
import { createStatusWriter } from './policy-status.ts';
import { createReconcilers } from './reconcilers.ts';
import { createSecretStore, type SecretNeeds, type SecretStore } from './secret-store.ts';

export interface ClusterOptions {
  readonly clock: Clock;
  readonly secretNeeds: SecretNeeds;
  /** Tells what keeps a part from working once, and that it is over; each part has a teller of its own. */
  readonly createTeller: () => (problem: Problem | undefined) => void;
  readonly pod: OwnPod;
  readonly metrics: () => Pick<Metrics, 'count'>;
  /** What a Yaml repo's passes found so long ago may be over: another worker makes them. */
  readonly forgetMs: number;
  readonly log: Log;
  /** Undefined: this process asks nobody whether it may work. */
  readonly leaderElection: LeaderElection | undefined;
  /** Goes on while the process is stopped or the machine sleeps. */
  readonly elapsedMs: () => number;
}

export interface LeaderElection {
  readonly leaseName: string;
  readonly leaseDurationSeconds: number;
  readonly renewDeadlineSeconds: number;
  readonly retryPeriodSeconds: number;
}

export interface Cluster extends ClusterSession {
  /** To be opened by whoever opens the session: commands that make one pass need Secrets too, and never `run`. */
  readonly secrets: SecretStore;
  listSamples(): readonly Sample[];
  close(): void;
}

interface ReconcilerParts {
  readonly flux: 'auto' | 'off' | false;
  readonly argocd: 'auto' | 'off' | false;
  /** Undefined for all of them. */
  readonly namespaces?: readonly string[] | undefined;
}

/** What of it the configuration wants. */
interface ClusterParts extends ClusterPlace {
  readonly status: boolean;
  readonly reconcilers: ReconcilerParts;
  readonly events: boolean;
}

/** Nothing is contacted before `run`, or before its secrets are opened. Throws `ConfigInvalid`. */
export function openCluster(wanted: ClusterParts, options: ClusterOptions): Cluster {
  const { clock, secretNeeds, createTeller, leaderElection } = options;
  const api = connectCluster(wanted);
  const secrets = createSecretStore(api, { needs: secretNeeds, clock, createTeller });
  const tell = createTeller();
  let mayNotLook = false;
  const policies = watchPolicyObjects(api, {
    clock,
    onProblem(problem) {
      mayNotLook = problem?.code === 'ClusterDenied';
      tell(problem);
    },
    onChange: (key) => status?.touch(key),
  });
  const status = wanted.status
    ? createStatusWriter({ api, clock, objects: policies, onProblem: createTeller() })
    : undefined;
  const products = (['flux', 'argocd'] as const).filter((product) => wanted.reconcilers[product] === 'auto');
  const { namespaces } = wanted.reconcilers;
  const reconcilers =
    products.length === 0 ? undefined : createReconcilers(api, { clock, products, namespaces, createTeller });
  const isReady = () => policies.isKnown() || mayNotLook;
  const events = wanted.events ? openEvents({ ...options, api, policies, isReady }) : undefined;
  return {
    secrets,
    onSecretChange: secrets.onChange,
    status,
    reconcilers,
    leadership: leaderElection && openLeadership(api, leaderElection, options),
    events,
    listSamples: () => events?.listSamples() ?? [],
    async run({ signal }) {
      const parts = [status === undefined && events === undefined ? undefined : policies, status, reconcilers, events];
      await Promise.all(parts.map((part) => part?.run({ signal })));
    },
    async flush({ signal }) {
      if (events === undefined || events.countUntold() === 0) return;
      const over = new AbortController();
      const watching = policies.isKnown() ? undefined : policies.run({ signal: over.signal });
      await events.flush({ signal });
      over.abort(new Error('all is told'));
      await watching;
    },
    close() {
      secrets.close();
      api.close();
    },
  };
}

function openLeadership(
  api: KubernetesApi,
  { leaseName, leaseDurationSeconds, renewDeadlineSeconds, retryPeriodSeconds }: LeaderElection,
  { clock, createTeller, log, elapsedMs }: ClusterOptions,
): Leadership {
  const place = { namespace: api.namespace, name: leaseName };
  const pod = process.env.POD_NAME || hostname();
  return createLeadership({
    store: createLeaseStore(api, place),
    place,
    // A pod of a StatefulSet comes back with the same name: the one before may not be gone yet.
    identity: `${pod}_${randomBytes(4).toString('hex')}`,
    timing: {
      durationMs: leaseDurationSeconds * 1000,
      renewDeadlineMs: renewDeadlineSeconds * 1000,
      retryMs: retryPeriodSeconds * 1000,
    },
    clock,
    elapsedMs,
    tell: createTeller(),
    log,
  });
}
