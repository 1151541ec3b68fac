import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createRequester } from '../../src/pipeline/request-reconcilers.ts';
import { matchObjects } from '../../src/reconcile/match-objects.ts';
import { readApplication } from '../../src/reconcile/read-application.ts';
import { application, appSource, commitOf } from '../reconcile/reconciler-scene.ts';
import { testClock } from './fake-registry.ts';
import { recordingMetrics } from './recording-metrics.ts';

describe('createRequester', () => {
  it('asks a thousand objects, but not all at once', async () => {
    const commit = commitOf('b');
    const objects = Array.from({ length: 1000 }, (_, index) =>
      readApplication(application({ source: appSource() }), { namespace: 'argocd', name: `shop-${index}` }),
    );
    const url = 'https://git.example/acme/deploy.git';
    const { sources, appliers } = matchObjects(objects, { url, branch: 'main', isDefault: true, named: [] });
    const asked = new Set<string>();
    const counts = { underWay: 0, most: 0 };
    const requester = createRequester({
      reconcilers: {
        async request({ name }) {
          asked.add(name);
          counts.underWay += 1;
          counts.most = Math.max(counts.most, counts.underWay);
          await turn();
          counts.underWay -= 1;
          return 'sent';
        },
      },
      clock: testClock(),
      metrics: recordingMetrics(),
      tell: () => undefined,
    });
    const { signal } = new AbortController();
    const lineage = { commit, descendants: new Set([commit]) };
    assert.equal(await requester.send({ sources, appliers, lineage }, { signal }), Number.POSITIVE_INFINITY);
    assert.deepEqual([asked.size, counts.most], [1000, 16]);
  });
});
