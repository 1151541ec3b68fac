/** What the daemon measures, put together: passes, looks, queues. */

import type { JobQueue, QueueCounts } from './job-ports.ts';
import type { OnLook, WantedTopic } from './kept-answers.ts';
import { createLeadTimes } from './lead-times.ts';
import type { Metrics, Sample } from './metrics-ports.ts';
import { createPassRecords, type PassRecords } from './pass-records.ts';
import type { Clock } from './ports.ts';

export interface Measuring {
  readonly records: PassRecords;
  /** For the poller: called after each look at tags. */
  readonly onLook: OnLook;
  /** Has these read whenever somebody looks. */
  watch(sources: MeasuredSources): void;
}

interface MeasuredSources {
  readonly queues: { readonly passes: Pick<JobQueue, 'count'>; readonly scans: Pick<JobQueue, 'count'> };
  readonly tags: { listWanted(): readonly WantedTopic[] };
}

export interface MeasureOptions {
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly forgetMs: number;
  /** Whether all passes are made here. */
  readonly isAlone: boolean;
}

/** Measures the work over these Yaml repos. */
export function createMeasuring(subjects: readonly string[], options: MeasureOptions): Measuring {
  const { metrics, clock, isAlone } = options;
  const leadTimes = createLeadTimes(subjects, { nowMs: clock.nowMs, isAlone });
  const records = createPassRecords(subjects, { ...options, leadTimes });
  return {
    records,
    onLook({ name, repository }, outcome, lookedMs) {
      if (outcome !== 'told') metrics.count('tallyman_scans_total', { host: repository.host, outcome });
      if (outcome === 'changed' || outcome === 'told') leadTimes.see(name, lookedMs);
    },
    watch({ queues, tags }) {
      metrics.onScrape('repos', records.listSamples);
      metrics.onScrape('images', () => tags.listWanted().map((topic) => toStaleness(topic, clock.nowMs())));
      metrics.onScrape('queues', async (options) => {
        const [passes, scans] = await Promise.all([queues.passes.count(options), queues.scans.count(options)]);
        return [...toQueueSamples('pass', passes), ...toQueueSamples('scan', scans)];
      });
    },
  };
}

function toStaleness({ name, sinceMs }: WantedTopic, nowMs: number): Sample {
  return { name: 'tallyman_image_staleness_seconds', labels: { image: name }, value: (nowMs - sinceMs) / 1000 };
}

function toQueueSamples(queue: string, { oldestMs, ...counts }: QueueCounts): readonly Sample[] {
  const { waiting, delayed, running } = counts;
  const jobs = Object.entries({ waiting, delayed, running }).map(
    ([state, value]): Sample => ({ name: 'tallyman_queue_jobs', labels: { queue, state }, value }),
  );
  return [...jobs, { name: 'tallyman_queue_oldest_due_seconds', labels: { queue }, value: oldestMs / 1000 }];
}
