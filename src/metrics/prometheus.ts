/** Metrics for Prometheus: the only file that knows its client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { groupBy } from '../collection/group-by.ts';
import type {
  Counters,
  Gauges,
  Histograms,
  Metrics,
  ReadSamples,
  Sample,
  SampleSource,
} from '../pipeline/metrics-ports.ts';
import { metricTable } from './metric-table.ts';

/** `{ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: '# HELP …' }` */
interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface Prometheus {
  readonly metrics: Metrics;
  /** All values, with the gauges read now; never rejects, and waits for them no longer than is set. */
  render(): Promise<MetricsText>;
}

export interface PrometheusOptions {
  /** Values of one metric. Of a gauge the largest are kept, what else is counted goes to the label value `other`. Default 10,000. */
  readonly maxSeries?: number;
  /** Longest wait for gauges that are read elsewhere. Default 2 s. */
  readonly readMs?: number;
}

type LabelValues = Readonly<Record<string, string>>;

/** Counts from 0, with what Node tells of the process besides (`process_…`, `nodejs_…`). */
export function createPrometheus({ maxSeries = 10_000, readMs = 2000 }: PrometheusOptions = {}): Prometheus {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { counters, gauges, histograms } = registerAll(registry);
  const sources = new Map<SampleSource, ReadSamples>();
  const bound = createSeriesBound(maxSeries);

  async function read(source: SampleSource, readSamples: ReadSamples): Promise<readonly Sample[]> {
    try {
      return await within(readMs, readSamples);
    } catch {
      counters.tallyman_scrape_errors_total.inc({ source });
      return [];
    }
  }

  async function scrape(): Promise<MetricsText> {
    const samples = (await Promise.all([...sources].map(([source, readSamples]) => read(source, readSamples)))).flat();
    for (const gauge of Object.values(gauges)) gauge.reset();
    const byName = groupBy(samples, ({ name }) => name);
    for (const [name, some] of byName)
      for (const { labels, value } of keepLargest(some, maxSeries)) gauges[name].set(labels, value);
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  let scraping: Promise<MetricsText> | undefined;
  return {
    metrics: {
      count: (name, labels, by = 1) => counters[name].inc(bound(name, labels), by),
      observe: (name, labels, seconds) => histograms[name].observe(bound(name, labels), Math.max(0, seconds)),
      onScrape: (source, readSamples) => void sources.set(source, readSamples),
    },
    render() {
      // Gauges are set anew by each: two at a time would mix.
      scraping ??= scrape().finally(() => {
        scraping = undefined;
      });
      return scraping;
    },
  };
}

type Instruments<Names, Instrument> = Record<keyof Names, Instrument>;

/** An instrument for each row of the table. */
function registerAll(registry: Registry) {
  const counters: Partial<Instruments<Counters, Counter>> = {};
  const gauges: Partial<Instruments<Gauges, Gauge>> = {};
  const histograms: Partial<Instruments<Histograms, Histogram>> = {};
  for (const [name, row] of Object.entries(metricTable)) {
    const about = { name, help: row.help, labelNames: Object.keys(row.labels), registers: [registry] };
    if (row.type === 'counter') Object.assign(counters, { [name]: new Counter(about) });
    else if (row.type === 'gauge') Object.assign(gauges, { [name]: new Gauge(about) });
    else Object.assign(histograms, { [name]: new Histogram({ ...about, buckets: [...row.buckets] }) });
  }
  return {
    counters: counters as Instruments<Counters, Counter>,
    gauges: gauges as Instruments<Gauges, Gauge>,
    histograms: histograms as Instruments<Histograms, Histogram>,
  };
}

/** The labels themselves, or once a metric has so many, `other` for each that it has not. */
function createSeriesBound(maxSeries: number): (name: string, labels: LabelValues) => LabelValues {
  const known = new Map<string, Set<string>>();
  return (name, labels) => {
    const series = known.get(name) ?? new Set();
    known.set(name, series);
    const key = JSON.stringify(Object.values(labels));
    if (series.size >= maxSeries && !series.has(key))
      return Object.fromEntries(Object.keys(labels).map((label) => [label, 'other']));
    series.add(key);
    return labels;
  };
}

function keepLargest(samples: readonly Sample[], maxSeries: number): readonly Sample[] {
  if (samples.length <= maxSeries) return samples;
  return [...samples].sort((a, b) => b.value - a.value).slice(0, maxSeries);
}

/** What is read; rejects after the time, whether or not the reader heeds its signal. */
async function within(readMs: number, read: ReadSamples): Promise<readonly Sample[]> {
  const end = new AbortController();
  const late = new Promise<never>((_, reject) => end.signal.addEventListener('abort', () => reject(end.signal.reason)));
  const timer = setTimeout(() => end.abort(new Error('that lasted too long')), readMs);
  try {
    return await Promise.race([read({ signal: end.signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}
