import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProbes } from '../../src/pipeline/probes.ts';

const stalledMs = 60_000;
const open = (longestMs: number, seen: number, count?: () => Promise<never>) => {
  const records = { findLongestMs: () => longestMs, countSeen: () => seen };
  return createProbes({ records, repoCount: 2, stalledMs, sharedQueue: count && { count } });
};

describe('createProbes', () => {
  it('takes a pass without end for a stalled program', () => {
    assert.equal(open(60_000, 0).whyNotAlive(), undefined);
    assert.equal(open(60_400, 2).whyNotAlive(), 'a pass has been under way for 60 s, at most 60 s were wanted');
  });

  it('is ready once each Yaml repo was looked at', async () => {
    assert.equal(await open(0, 1).whyNotReady(), 'the first pass over 1 of 2 Yaml repos is not done yet');
    assert.equal(await open(0, 2).whyNotReady(), undefined);
  });

  it('is ready while a shared queue answers, whoever makes the passes', async () => {
    const counts = { waiting: 0, delayed: 0, running: 0, oldestMs: 0 };
    const records = { findLongestMs: () => 0, countSeen: () => 0 };
    const probes = createProbes({ records, repoCount: 2, stalledMs, sharedQueue: { count: async () => counts } });
    assert.equal(await probes.whyNotReady(), undefined);
    const away = open(0, 2, () => Promise.reject(new Error('Cannot reach redis.internal:6379')));
    assert.equal(await away.whyNotReady(), 'the queue cannot be reached, or takes nothing; the log says why');
  });
});
