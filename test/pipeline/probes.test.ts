import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Leader } from '../../src/pipeline/cluster-ports.ts';
import { createProbes } from '../../src/pipeline/probes.ts';

const stalledMs = 60_000;
const open = (longestMs: number, seen: number, count?: () => Promise<never>) => {
  const records = { findLongestMs: () => longestMs, countSeen: () => seen };
  return createProbes({ records, repoCount: 2, stalledMs, sharedQueue: count && { count }, leadership: undefined });
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
    const probes = createProbes({
      records,
      repoCount: 2,
      stalledMs,
      sharedQueue: { count: async () => counts },
      leadership: undefined,
    });
    assert.equal(await probes.whyNotReady(), undefined);
    const away = open(0, 2, () => Promise.reject(new Error('Cannot reach redis.internal:6379')));
    assert.equal(await away.whyNotReady(), 'the queue cannot be reached, or takes nothing; the log says why');
  });

  it('is ready as a standby once it knows who leads, and stays it when it takes over', async () => {
    let leader: Leader | undefined;
    const records = { findLongestMs: () => 0, countSeen: () => 0 };
    const leadership = { findLeader: () => leader };
    const probes = createProbes({ records, repoCount: 2, stalledMs, sharedQueue: undefined, leadership });
    assert.equal(await probes.whyNotReady(), 'it is not known yet which replica leads; the log says why');
    leader = { kind: 'self' };
    assert.match((await probes.whyNotReady()) ?? '', /^the first pass over 2 of 2/);
    leader = { kind: 'other', name: 'b', address: undefined };
    assert.deepEqual([await probes.whyNotReady(), probes.readyAs()], [undefined, 'standby']);
    leader = { kind: 'nobody' };
    assert.deepEqual([await probes.whyNotReady(), probes.readyAs()], [undefined, 'standby']);
    leader = { kind: 'self' };
    assert.deepEqual([await probes.whyNotReady(), probes.readyAs()], [undefined, 'ready']);
  });
});
