import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRegistryMeter } from '../../src/pipeline/measure-registries.ts';
import { testClock } from './fake-registry.ts';
import { recordingMetrics } from './recording-metrics.ts';

describe('createRegistryMeter', () => {
  it('counts what troubles requests, by host', () => {
    const metrics = recordingMetrics();
    const meter = createRegistryMeter({ metrics: () => metrics, clock: testClock() });
    for (const kind of ['retry', 'circuit-open'] as const) meter.note({ kind, host: 'ghcr.io' });
    meter.note({ kind: 'dropped-tags' });
    assert.deepEqual(metrics.told, [
      'tallyman_registry_events_total ghcr.io retry',
      'tallyman_registry_events_total ghcr.io circuit-open',
    ]);
  });

  it('tells the pulls that are left for as long as that counts', () => {
    const clock = testClock();
    const meter = createRegistryMeter({ metrics: recordingMetrics, clock });
    for (const left of [12, 11]) meter.note({ kind: 'budget', host: 'docker.io', left, windowMs: 1000 });
    const sample = { name: 'tallyman_registry_pulls_left', labels: { host: 'docker.io' }, value: 11 };
    assert.deepEqual(meter.listSamples(), [sample]);
    clock.time += 1000;
    assert.deepEqual(meter.listSamples(), []);
  });
});
