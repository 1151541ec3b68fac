import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addressAnnotation,
  findAddress,
  findOtherHolder,
  holdLease,
  type LeaseObject,
  observeLease,
  releaseLease,
  type SeenLease,
} from '../../src/cluster/lease.ts';

const wallMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const time = '2026-01-02T03:04:05.678000Z';
const place = { namespace: 'shop', name: 'tallyman' };
const me = { identity: 'a', durationMs: 15_000 };
const lease = (spec: LeaseObject['spec'], metadata: object = {}): LeaseObject => ({
  metadata: { ...place, resourceVersion: '7', ...metadata },
  spec,
});
const heldBy = (holderIdentity: string | undefined, renewTime = 'r1', leaseDurationSeconds: number | undefined = 15) =>
  lease({
    ...(holderIdentity !== undefined && { holderIdentity }),
    leaseDurationSeconds,
    renewTime,
    leaseTransitions: 3,
  });
const see = (looks: readonly (readonly [number, LeaseObject | undefined])[]): SeenLease => {
  let seen: SeenLease | undefined;
  for (const [nowMs, found] of looks) seen = observeLease(seen, found, { nowMs, usualMs: me.durationMs });
  assert.ok(seen);
  return seen;
};

describe('findOtherHolder', () => {
  type Row = {
    looks: readonly (readonly [number, LeaseObject | undefined])[];
    atMs: number;
    holder: string | undefined;
  };
  const rows: Record<string, Row> = {
    'none where there is no Lease': { looks: [[0, undefined]], atMs: 0, holder: undefined },
    'none where nobody holds it': { looks: [[0, heldBy('')]], atMs: 0, holder: undefined },
    'none where it names nobody': { looks: [[0, heldBy(undefined)]], atMs: 0, holder: undefined },
    'none where this process holds it, however old': { looks: [[0, heldBy('a')]], atMs: 60_000, holder: undefined },
    'another, until its time is over': { looks: [[1000, heldBy('b')]], atMs: 15_999, holder: 'b' },
    'none at the end of its time': { looks: [[1000, heldBy('b')]], atMs: 16_000, holder: undefined },
    'its time counts from when it was first seen so, not from the last look': {
      looks: [
        [0, heldBy('b')],
        [14_000, heldBy('b')],
      ],
      atMs: 15_000,
      holder: undefined,
    },
    'its time begins anew with each renewal': {
      looks: [
        [0, heldBy('b')],
        [14_000, heldBy('b', 'r2')],
      ],
      atMs: 28_000,
      holder: 'b',
    },
    'a renewal that another clock dates back is one too': {
      looks: [
        [0, heldBy('b', '2026-01-02T00:00:00.000000Z')],
        [14_000, heldBy('b', '1999-01-02T00:00:00.000000Z')],
      ],
      atMs: 28_000,
      holder: 'b',
    },
    'what a person notes on it is no renewal': {
      looks: [
        [0, heldBy('b')],
        [14_000, { ...heldBy('b'), metadata: { ...place, resourceVersion: '9', annotations: { note: 'x' } } }],
      ],
      atMs: 15_000,
      holder: undefined,
    },
    'so long as its holder says, not as is usual here': {
      looks: [[0, heldBy('b', 'r1', 60)]],
      atMs: 59_000,
      holder: 'b',
    },
    'for no longer than an hour': { looks: [[0, heldBy('b', 'r1', 1_000_000)]], atMs: 3_600_000, holder: undefined },
    'as long as is usual where it does not say': {
      looks: [[0, lease({ holderIdentity: 'b' })]],
      atMs: 14_999,
      holder: 'b',
    },
    'the one before, where the Lease was deleted while it was held': {
      looks: [
        [0, heldBy('b')],
        [1000, undefined],
      ],
      atMs: 14_000,
      holder: 'b',
    },
    'none once that time is over': {
      looks: [
        [0, heldBy('b')],
        [1000, undefined],
      ],
      atMs: 15_000,
      holder: undefined,
    },
    'the one who made it anew': {
      looks: [
        [0, heldBy('b')],
        [1000, undefined],
        [2000, heldBy('c')],
      ],
      atMs: 16_000,
      holder: 'c',
    },
  };
  for (const [name, { looks, atMs, holder }] of Object.entries(rows))
    it(name, () => assert.equal(findOtherHolder(see(looks), me.identity, atMs), holder));
});

describe('holdLease', () => {
  const writing = { ...place, address: '10.1.2.3:8080', wallMs };
  const annotations = { [addressAnnotation]: '10.1.2.3:8080' };

  it('makes one where there is none', () => {
    assert.deepEqual(holdLease({ lease: undefined }, me, writing), {
      metadata: { ...place, annotations },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 15, acquireTime: time, renewTime: time, leaseTransitions: 0 },
    });
  });

  it('takes one over, counts that, and keeps what others wrote', () => {
    const before = lease(
      { holderIdentity: 'b', leaseDurationSeconds: 60, acquireTime: 'then', renewTime: 'r1', leaseTransitions: 3 },
      { annotations: { note: 'x', [addressAnnotation]: '10.9.9.9:1' }, uid: 'u' },
    );
    assert.deepEqual(holdLease({ lease: before }, me, writing), {
      metadata: { ...place, resourceVersion: '7', uid: 'u', annotations: { note: 'x', ...annotations } },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 15, acquireTime: time, renewTime: time, leaseTransitions: 4 },
    });
  });

  it('renews its own, and leaves no address where it has none', () => {
    const before = lease(
      { holderIdentity: 'a', acquireTime: 'then', renewTime: 'r1', leaseTransitions: 3 },
      { annotations },
    );
    assert.deepEqual(holdLease({ lease: before }, me, { ...writing, address: undefined }), {
      metadata: { ...place, resourceVersion: '7', annotations: {} },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: 'then',
        renewTime: time,
        leaseTransitions: 3,
      },
    });
  });
});

describe('releaseLease', () => {
  it('leaves nobody as its holder, and no address', () => {
    const before = lease(
      { holderIdentity: 'a', acquireTime: 'then', renewTime: 'r1', leaseTransitions: 3 },
      { annotations: { [addressAnnotation]: '10.1.2.3:8080' } },
    );
    const released = releaseLease(before, { ...place, address: '10.1.2.3:8080', wallMs });
    assert.deepEqual(released, {
      metadata: { ...place, resourceVersion: '7', annotations: {} },
      spec: { holderIdentity: '', leaseDurationSeconds: 1, renewTime: time, leaseTransitions: 3 },
    });
    assert.equal(
      findOtherHolder(
        see([
          [0, heldBy('a')],
          [1, released],
        ]),
        'b',
        1,
      ),
      undefined,
    );
  });
});

describe('findAddress', () => {
  const rows: readonly (readonly [string | undefined, boolean])[] = [
    ['10.1.2.3:8080', true],
    ['[fd00::12]:8080', true],
    [undefined, false],
    ['', false],
    ['10.1.2.3', false],
    ['10.1.2.3:8080/admin', false],
    ['user@10.1.2.3:8080', false],
    ['metadata.example:80', false],
    ['10.1.2.3:8080\r\nx: y', false],
  ];
  for (const [address, isOne] of rows)
    it(`${isOne ? 'takes' : 'does not take'} ${JSON.stringify(address)}`, () => {
      const annotations: Record<string, string> = address === undefined ? {} : { [addressAnnotation]: address };
      assert.equal(findAddress(lease({}, { annotations })), isOne ? address : undefined);
    });
});
