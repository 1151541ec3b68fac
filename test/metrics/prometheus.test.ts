import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricTable } from '../../src/metrics/metric-table.ts';
import { createPrometheus, type PrometheusOptions } from '../../src/metrics/prometheus.ts';
import type { Sample } from '../../src/pipeline/metrics-ports.ts';

function open(options: PrometheusOptions = {}) {
  const { metrics, render } = createPrometheus(options);
  /** The lines that begin so. */
  const read = async (start: string): Promise<readonly string[]> =>
    (await render()).text.split('\n').filter((line) => line.startsWith(start));
  return { metrics, render, read };
}

const staleness = (image: string, value: number): Sample => ({
  name: 'tallyman_image_staleness_seconds',
  labels: { image },
  value,
});

describe('createPrometheus', () => {
  it('counts, and spreads spans of time over buckets', async () => {
    const { metrics, read } = open();
    metrics.count('tallyman_scans_total', { host: 'ghcr.io', outcome: 'same' });
    metrics.count('tallyman_scans_total', { host: 'ghcr.io', outcome: 'same' }, 2);
    metrics.count('tallyman_scans_total', { host: 'ghcr.io', outcome: 'failed' }, 0);
    metrics.observe('tallyman_pass_duration_seconds', { repo: 'deploy' }, 0.2);
    assert.deepEqual(await read('tallyman_scans_total'), [
      'tallyman_scans_total{host="ghcr.io",outcome="same"} 3',
      'tallyman_scans_total{host="ghcr.io",outcome="failed"} 0',
    ]);
    assert.deepEqual((await read('tallyman_pass_duration_seconds_bucket')).slice(0, 2), [
      'tallyman_pass_duration_seconds_bucket{le="0.1",repo="deploy"} 0',
      'tallyman_pass_duration_seconds_bucket{le="0.25",repo="deploy"} 1',
    ]);
  });

  it('reads gauges at each scrape, and lets go of those that are gone', async () => {
    const { metrics, read } = open();
    let samples = [staleness('a', 1), staleness('b', 2)];
    metrics.onScrape('images', () => samples);
    assert.equal((await read('tallyman_image_staleness_seconds')).length, 2);
    samples = [staleness('b', 3)];
    assert.deepEqual(await read('tallyman_image_staleness_seconds'), ['tallyman_image_staleness_seconds{image="b"} 3']);
  });

  const faults: Record<string, () => Promise<readonly Sample[]>> = {
    'that fails': async () => {
      throw new Error('no');
    },
    'that throws at once': () => {
      throw new Error('no');
    },
    'that never answers': () => new Promise(() => {}),
  };
  for (const [name, read] of Object.entries(faults)) {
    it(`goes without a source ${name}, and counts that`, async () => {
      const opened = open({ readMs: 20 });
      opened.metrics.onScrape('queues', read);
      opened.metrics.onScrape('images', () => [staleness('a', 1)]);
      await opened.render();
      const lines = await opened.read('tallyman_');
      assert.ok(lines.includes('tallyman_image_staleness_seconds{image="a"} 1'));
      assert.ok(lines.includes('tallyman_scrape_errors_total{source="queues"} 2'));
    });
  }

  it('bounds the values of a label: the largest gauges stay, the rest is counted as other', async () => {
    const { metrics, read } = open({ maxSeries: 2 });
    for (const policy of ['a', 'b', 'c', 'd', 'a']) metrics.count('tallyman_updates_total', { repo: 'r', policy });
    metrics.onScrape('images', () => [staleness('a', 1), staleness('b', 3), staleness('c', 2)]);
    assert.deepEqual(await read('tallyman_updates_total'), [
      'tallyman_updates_total{repo="r",policy="a"} 2',
      'tallyman_updates_total{repo="r",policy="b"} 1',
      'tallyman_updates_total{repo="other",policy="other"} 2',
    ]);
    assert.deepEqual(await read('tallyman_image_staleness_seconds'), [
      'tallyman_image_staleness_seconds{image="b"} 3',
      'tallyman_image_staleness_seconds{image="c"} 2',
    ]);
  });

  it('lets no label value break out of its line', async () => {
    const { metrics, read } = open();
    metrics.count('tallyman_updates_total', { repo: 'r"} 9\nx{y="', policy: '\\' });
    assert.deepEqual(await read('tallyman_updates_total'), [
      String.raw`tallyman_updates_total{repo="r\"} 9\nx{y=\"",policy="\\"} 1`,
    ]);
  });

  it('gives all that come at the same time the same answer', async () => {
    const { metrics, render } = open();
    let reads = 0;
    metrics.onScrape('images', async () => {
      reads += 1;
      return [];
    });
    await Promise.all([render(), render()]);
    assert.equal(reads, 1);
    await render();
    assert.equal(reads, 2);
  });

  it('tells each metric of the table, and of the process', async () => {
    const { render } = open();
    const { text, contentType } = await render();
    for (const name of Object.keys(metricTable)) assert.ok(text.includes(`# HELP ${name} `), name);
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
      assert.match(text, new RegExp(`^${name} [0-9.e-]+$`, 'm'));
    assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  });
});
