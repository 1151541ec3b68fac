import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEvent, nameEvent, type ObjectReference } from '../../src/cluster/event-body.ts';
import type { StatusEvent } from '../../src/pipeline/cluster-ports.ts';
import { testPolicy } from '../make-policy.ts';

const web: ObjectReference = testPolicy().object;
const pod: ObjectReference = { apiVersion: 'v1', kind: 'Pod', namespace: 'tallyman', name: 'tallyman-0' };
const event: StatusEvent = {
  reason: 'RegistryUnavailable',
  type: 'Warning',
  about: web,
  action: 'UpdateImage',
  note: 'Cannot list',
  id: 'Cannot list',
  repeats: true,
};
const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const format = (parts: Partial<StatusEvent>, { count = 1, instance = 'tallyman-0', regarding = web } = {}) =>
  formatEvent(
    { event: { ...event, ...parts }, regarding },
    { firstMs: at, lastMs: at + 1000, count },
    { object: pod, instance },
  ) as Record<string, unknown>;

describe('formatEvent', () => {
  it('has what the API server asks for', () => {
    assert.deepEqual(format({}), {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: 'shop', name: nameEvent({ event, regarding: web }) },
      eventTime: '2026-01-02T03:04:05.006000Z',
      type: 'Warning',
      reason: 'RegistryUnavailable',
      action: 'UpdateImage',
      note: 'Cannot list',
      regarding: web,
      reportingController: 'tallyman.dev/tallyman',
      reportingInstance: 'tallyman-0',
    });
  });

  it('has a series from the second time on', () => {
    assert.deepEqual(format({}, { count: 7 }).series, { count: 7, lastObservedTime: '2026-01-02T03:04:06.006000Z' });
  });

  it('names the object where it is told about another one', () => {
    const { note, regarding, related } = format({}, { regarding: pod });
    assert.deepEqual([note, regarding, related], ['ImagePolicy shop/web: Cannot list', pod, web]);
  });

  const rows: [string, string, string][] = [
    ['a whole kilobyte', 'x'.repeat(1024), 'x'.repeat(1024)],
    ['one byte more', 'x'.repeat(1025), `${'x'.repeat(1021)}…`],
    ['characters of two bytes', 'é'.repeat(600), `${'é'.repeat(510)}…`],
    ['characters of four bytes', '😀'.repeat(300), `${'😀'.repeat(255)}…`],
    ['four bytes that do not fit any more', `x${'😀'.repeat(300)}`, `x${'😀'.repeat(255)}…`],
    ['a line break and a bell', 'a\nb\u0007', 'a\\u000ab\\u0007'],
    ['a change of direction', 'a\u202eb', 'a\\u202eb'],
    ['half a character', 'a\ud83d', 'a\\ud83d'],
    ['a megabyte', '\u0000'.repeat(1_000_000), `${'\\u0000'.repeat(170)}\\…`],
  ];
  for (const [name, note, wanted] of rows)
    it(`cuts ${name}`, () => {
      const cut = String(format({ note }).note);
      assert.equal(cut, wanted);
      assert.ok(Buffer.byteLength(cut) <= 1024);
    });

  it('cuts words that are too long', () => {
    const { reason, action, reportingInstance } = format(
      { reason: 'R'.repeat(200), action: 'A'.repeat(200) },
      { instance: 'i'.repeat(200) },
    );
    assert.deepEqual(
      [reason, action, reportingInstance].map((word) => String(word).length),
      [128, 128, 128],
    );
  });
});

describe('nameEvent', () => {
  const rows: [string, Partial<StatusEvent>, ObjectReference, boolean][] = [
    ['the same again', { note: 'Cannot list, for 30 s' }, web, true],
    ['a newer version of the object', {}, { ...web, resourceVersion: '7' }, true],
    ['another reason', { reason: 'RegistryDenied' }, web, false],
    ['something else', { id: 'Cannot read' }, web, false],
    ['another object', {}, { ...web, name: 'api' }, false],
    ['the object made anew', {}, { ...web, uid: 'a' }, false],
    ['another dialect', {}, { ...web, apiVersion: 'image.toolkit.fluxcd.io/v1' }, false],
  ];
  for (const [name, parts, regarding, isSame] of rows)
    it(`is ${isSame ? 'the same' : 'another'} for ${name}`, () => {
      const names = [nameEvent({ event, regarding: web }), nameEvent({ event: { ...event, ...parts }, regarding })];
      assert.equal(new Set(names).size, isSame ? 1 : 2);
    });

  it('is a DNS name of at most 253 characters, of an object with the longest name', () => {
    const name = nameEvent({ event, regarding: { ...web, name: `${'a'.repeat(231)}.${'b'.repeat(21)}` } });
    assert.equal(name.length, 252);
    assert.match(name, /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/);
  });
});
