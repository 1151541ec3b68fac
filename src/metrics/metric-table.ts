/** What each metric means: the compiler complains where a row or a label is missing. */
import type { Counters, Gauges, Histograms } from '../pipeline/metrics-ports.ts';

/** What a label says, by its name. */
type LabelTexts<Label extends string> = Readonly<Record<Label, string>>;

interface CounterRow<Label extends string> {
  readonly type: 'counter';
  readonly help: string;
  readonly labels: LabelTexts<Label>;
}

interface GaugeRow<Label extends string> {
  readonly type: 'gauge';
  readonly help: string;
  readonly labels: LabelTexts<Label>;
}

interface HistogramRow<Label extends string> {
  readonly type: 'histogram';
  readonly help: string;
  readonly labels: LabelTexts<Label>;
  /** Upper ends, in seconds. */
  readonly buckets: readonly number[];
}

type MetricTable = { readonly [Name in keyof Counters]: CounterRow<Counters[Name]> } & {
  readonly [Name in keyof Gauges]: GaugeRow<Gauges[Name]>;
} & { readonly [Name in keyof Histograms]: HistogramRow<Histograms[Name]> };

const repo = 'address and branch, as configured';
const host = 'as images name it';

export const metricTable: MetricTable = {
  tallyman_build_info: { type: 'gauge', help: 'Always 1.', labels: { version: 'of Tallyman' } },
  tallyman_passes_total: {
    type: 'counter',
    help: 'Passes that ended. Failed ones are made again by themselves.',
    labels: { repo, outcome: 'committed, proposed, unchanged or failed' },
  },
  tallyman_pass_duration_seconds: {
    type: 'histogram',
    help: 'From the start of a pass to its end, whatever came of it.',
    labels: { repo },
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
  },
  tallyman_last_pass_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last pass ended that did not fail, in seconds since 1970.',
    labels: { repo },
  },
  tallyman_updates_total: {
    type: 'counter',
    help: 'Versions that were committed to the watched branch.',
    labels: { repo, policy: 'namespace/name' },
  },
  tallyman_seen_to_commit_seconds: {
    type: 'histogram',
    help: "From the look that saw a repository's tags change, of whichever worker, to the commit of a version of that image, made here by the first pass that did not fail. With Redis the last such look counts, if it was within half an hour: an earlier change may be committed by another worker.",
    labels: { repo },
    buckets: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800],
  },
  tallyman_reconcile_requests_total: {
    type: 'counter',
    help: 'Requests to Flux and Argo CD to look at their repository now.',
    labels: {
      kind: 'GitRepository, Kustomization, HelmRelease or Application',
      outcome: 'sent, gone (it is not there any more) or failed (sent again by itself)',
    },
  },
  tallyman_applies_total: {
    type: 'counter',
    help: 'What became of committed versions in the cluster, where something there applies them.',
    labels: {
      repo,
      outcome:
        'applied, failed, late (nothing was said of it in time), superseded or unknown; one that failed or was late may still be applied, and then counts as both',
    },
  },
  tallyman_seen_to_applied_seconds: {
    type: 'histogram',
    help: "From the look here that saw a repository's tags change to the reconciler's word that the version is applied. With Redis the last such look, as for tallyman_seen_to_commit_seconds.",
    labels: { repo },
    buckets: [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400],
  },
  tallyman_push_retries_total: {
    type: 'counter',
    help: 'Tries to push beyond the first of a pass, because the branch had moved.',
    labels: { repo },
  },
  tallyman_policies: { type: 'gauge', help: 'Policies that the last pass found that did not fail.', labels: { repo } },
  tallyman_policies_held: {
    type: 'gauge',
    help: 'Policies with a newer version that is not written because a person took it away, closed it or holds the policy.',
    labels: { repo },
  },
  tallyman_policies_waiting: {
    type: 'gauge',
    help: 'Policies that commit and have a newer version that may not be written yet.',
    labels: { repo },
  },
  tallyman_problems: {
    type: 'gauge',
    help: 'Problems that the last pass found, or failed with.',
    labels: { repo, code: 'of src/error/catalogue.ts, such as PushRejected' },
  },
  tallyman_scans_total: {
    type: 'counter',
    help: "Looks at a repository's tags that asked the registry.",
    labels: { host, outcome: 'first, changed, same, failed, or refused (a person must act)' },
  },
  tallyman_image_staleness_seconds: {
    type: 'gauge',
    help: 'Since the registry last answered with the tags, or since they were first asked for here where it never did.',
    labels: { image: 'repository that policies want' },
  },
  tallyman_registry_events_total: {
    type: 'counter',
    help: 'What troubled requests.',
    labels: {
      host,
      event: 'retry, throttled (it asked for rest), circuit-open (it is left alone for a while) or warning',
    },
  },
  tallyman_registry_pulls_left: {
    type: 'gauge',
    help: 'Pulls that the registry said are left, as long as that counts.',
    labels: { host },
  },
  tallyman_queue_jobs: {
    type: 'gauge',
    help: 'Jobs in the queue; all workers that share it tell the same.',
    labels: { queue: 'pass or scan', state: 'waiting (due, not begun), delayed or running' },
  },
  tallyman_queue_oldest_due_seconds: {
    type: 'gauge',
    help: 'How long the job that is due longest has been waiting for a worker; 0 where none is.',
    labels: { queue: 'pass or scan' },
  },
  tallyman_webhook_deliveries_total: {
    type: 'counter',
    help: 'Deliveries that were answered.',
    labels: { hook: 'its name', status: 'HTTP status of the answer' },
  },
  tallyman_events_total: {
    type: 'counter',
    help: 'Kubernetes Events that were told.',
    labels: {
      outcome: 'created, repeated (in the series of one that is there) or refused (by the API server, for good)',
    },
  },
  tallyman_events_dropped_total: {
    type: 'counter',
    help: 'Kubernetes Events that were never told, because too many waited or the program ended.',
    labels: {},
  },
  tallyman_events_waiting: {
    type: 'gauge',
    help: 'Kubernetes Events that are still to be told; they wait while the API server is away.',
    labels: {},
  },
  tallyman_leader: {
    type: 'gauge',
    help: 'With leader election: 1 in the replica that works, 0 in those that wait.',
    labels: {},
  },
  tallyman_leader_terms_total: {
    type: 'counter',
    help: 'With leader election: how often this replica began to work.',
    labels: {},
  },
  tallyman_scrape_errors_total: {
    type: 'counter',
    help: 'Readings of gauges that failed or lasted too long; those are missing in that scrape.',
    labels: { source: 'build, queues, images, registries, repos, events or leader' },
  },
};
