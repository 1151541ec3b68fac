/** Metrics that keep what they are told. */
import type { Metrics, ReadSamples, SampleSource } from '../../src/pipeline/metrics-ports.ts';

export interface RecordingMetrics extends Metrics {
  /** `tallyman_scans_total ghcr.io same` or `tallyman_pass_duration_seconds deploy = 2`; what is counted by 0 is left out. */
  readonly told: readonly string[];
  /** `tallyman_policies deploy = 3`, of all sources. */
  scrape(): Promise<readonly string[]>;
}

export function recordingMetrics(): RecordingMetrics {
  const told: string[] = [];
  const sources = new Map<SampleSource, ReadSamples>();
  const show = (name: string, labels: Readonly<Record<string, string>>): string =>
    [name, ...Object.values(labels)].join(' ');
  return {
    told,
    count(name, labels, by = 1) {
      if (by !== 0) told.push(show(name, labels) + (by === 1 ? '' : ` = ${by}`));
    },
    observe: (name, labels, seconds) => void told.push(`${show(name, labels)} = ${seconds}`),
    onScrape: (source, read) => void sources.set(source, read),
    async scrape() {
      const { signal } = new AbortController();
      const samples = await Promise.all([...sources.values()].map((read) => read({ signal })));
      return samples.flat().map(({ name, labels, value }) => `${show(name, labels)} = ${value}`);
    },
  };
}
