/** Metrics, and the version that they tell. */
import { readFileSync } from 'node:fs';
import type { RegistryMeter } from '../pipeline/measure-registries.ts';
import type { Metrics } from '../pipeline/metrics-ports.ts';

/** Where measurements go: nowhere, until somebody may look at them. */
export interface Measured {
  metrics: Metrics;
  render: (() => Promise<{ readonly contentType: string; readonly text: string }>) | undefined;
}

export async function openMetrics(meter: RegistryMeter): Promise<Measured> {
  const { createPrometheus } = await import('../metrics/prometheus.ts');
  const { metrics, render } = createPrometheus();
  const version = readVersion();
  metrics.onScrape('build', () => [{ name: 'tallyman_build_info', labels: { version }, value: 1 }]);
  metrics.onScrape('registries', meter.listSamples);
  return { metrics, render };
}

/** Of this program: `0.1.0` */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return version;
}
