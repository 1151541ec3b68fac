/** What is measured of the work: a closed set of names with their labels. What each means is in metrics/metric-table.ts. */

interface CallOptions {
  readonly signal: AbortSignal;
}

/** What is counted, by its labels. */
export interface Counters {
  readonly tallyman_passes_total: 'repo' | 'outcome';
  readonly tallyman_push_retries_total: 'repo';
  readonly tallyman_updates_total: 'repo' | 'policy';
  readonly tallyman_scans_total: 'host' | 'outcome';
  readonly tallyman_registry_events_total: 'host' | 'event';
  readonly tallyman_webhook_deliveries_total: 'hook' | 'status';
  readonly tallyman_reconcile_requests_total: 'kind' | 'outcome';
  readonly tallyman_applies_total: 'repo' | 'outcome';
  readonly tallyman_events_total: 'outcome';
  readonly tallyman_events_dropped_total: never;
  readonly tallyman_leader_terms_total: never;
  readonly tallyman_scrape_errors_total: 'source';
}

/** Spans of time in seconds, whose spread is of interest. */
export interface Histograms {
  readonly tallyman_pass_duration_seconds: 'repo';
  readonly tallyman_seen_to_commit_seconds: 'repo';
  readonly tallyman_seen_to_applied_seconds: 'repo';
}

/** What is so at the moment. */
export interface Gauges {
  readonly tallyman_build_info: 'version';
  readonly tallyman_queue_jobs: 'queue' | 'state';
  readonly tallyman_queue_oldest_due_seconds: 'queue';
  readonly tallyman_events_waiting: never;
  readonly tallyman_image_staleness_seconds: 'image';
  readonly tallyman_registry_pulls_left: 'host';
  readonly tallyman_last_pass_timestamp_seconds: 'repo';
  readonly tallyman_policies: 'repo';
  readonly tallyman_policies_held: 'repo';
  readonly tallyman_policies_waiting: 'repo';
  readonly tallyman_problems: 'repo' | 'code';
  readonly tallyman_leader: never;
}

/** `{ name: 'tallyman_policies', labels: { repo: 'https://git.example/deploy.git' }, value: 12 }` */
export type Sample = {
  [Name in keyof Gauges]: {
    readonly name: Name;
    readonly labels: Readonly<Record<Gauges[Name], string>>;
    readonly value: number;
  };
}[keyof Gauges];

/** What samples are of. */
export type SampleSource = 'build' | 'queues' | 'images' | 'registries' | 'repos' | 'events' | 'leader';

/** Reads gauges. What fails, or lasts longer than a scrape can wait, is left out and counted. */
export type ReadSamples = (options: CallOptions) => readonly Sample[] | Promise<readonly Sample[]>;

/** Takes measurements; never throws, waits for nothing. Label values are no secrets. */
export interface Metrics {
  /** `by` is 1 by default; 0 has it there before the first one. */
  count<Name extends keyof Counters>(name: Name, labels: Readonly<Record<Counters[Name], string>>, by?: number): void;
  observe<Name extends keyof Histograms>(
    name: Name,
    labels: Readonly<Record<Histograms[Name], string>>,
    seconds: number,
  ): void;
  /** Has the gauges of the source read whenever somebody looks, in place of what they were the time before. */
  onScrape(source: SampleSource, read: ReadSamples): void;
}

/** Where nobody looks. */
export const noMetrics: Metrics = { count: () => {}, observe: () => {}, onScrape: () => {} };
