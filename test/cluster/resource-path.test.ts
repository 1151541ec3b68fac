import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPath } from '../../src/cluster/resource-path.ts';

const events = { group: 'events.k8s.io', version: 'v1', plural: 'events' };

describe('formatPath', () => {
  it('names one object, and leaves no way out of its folder', () => {
    assert.equal(
      formatPath(events, { namespace: 'a/b', name: 'web?x#y' }),
      '/apis/events.k8s.io/v1/namespaces/a%2Fb/events/web%3Fx%23y',
    );
  });

  for (const part of ['', '.', '..'])
    it(`takes "${part}" for no name`, () => {
      assert.throws(() => formatPath(events, { namespace: part }), /names no object/);
      assert.throws(() => formatPath(events, { namespace: 'shop', name: part }), /names no object/);
    });
});
