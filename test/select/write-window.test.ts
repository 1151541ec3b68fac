import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type WriteWindow, weekdays } from '../../src/policy/policy.ts';
import { isOpen, nextOpening, waitForWindow } from '../../src/select/write-window.ts';
import { testPolicy, testSelection } from '../make-policy.ts';

const all = weekdays;
const work = all.slice(0, 5);
const berlin = 'Europe/Berlin';
const window = (from: string, to: string, parts: Partial<WriteWindow> = {}): WriteWindow => ({
  ...{ days: all, from, to, timeZone: 'UTC' },
  ...parts,
});

describe('nextOpening', () => {
  const rows: readonly [name: string, windows: readonly WriteWindow[], now: string, opens: string | undefined][] = [
    ['no window is no limit', [], '2026-11-24T03:00Z', '2026-11-24T03:00Z'],
    ['inside', [window('02:00', '04:00')], '2026-11-24T03:00Z', '2026-11-24T03:00Z'],
    ['its first minute is in it', [window('03:00', '04:00')], '2026-11-24T03:00Z', '2026-11-24T03:00Z'],
    ['its last is not', [window('02:00', '03:00')], '2026-11-24T03:00Z', '2026-11-25T02:00Z'],
    ['later today', [window('09:00', '17:00')], '2026-11-24T03:00Z', '2026-11-24T09:00Z'],
    [
      'the sooner of two',
      [window('09:00', '17:00'), window('05:00', '06:00')],
      '2026-11-24T03:00Z',
      '2026-11-24T05:00Z',
    ],
    ['over midnight, before it', [window('22:00', '04:00')], '2026-11-24T23:00Z', '2026-11-24T23:00Z'],
    ['over midnight, after it', [window('22:00', '04:00')], '2026-11-24T03:59Z', '2026-11-24T03:59Z'],
    [
      'what begins on Tuesday ends on Wednesday',
      [window('22:00', '04:00', { days: ['tue'] })],
      '2026-11-25T03:00Z',
      '2026-11-25T03:00Z',
    ],
    [
      'not what would begin on Wednesday',
      [window('22:00', '04:00', { days: ['tue'] })],
      '2026-11-25T23:00Z',
      '2026-12-01T22:00Z',
    ],
    ['after the weekend', [window('09:00', '17:00', { days: work })], '2026-11-27T17:00Z', '2026-11-30T09:00Z'],
    ['all day', [window('00:00', '00:00', { days: ['sun'] })], '2026-11-29T23:59Z', '2026-11-29T23:59Z'],
    [
      'the day of the zone counts',
      [window('00:00', '01:00', { days: ['wed'], timeZone: 'Pacific/Kiritimati' })],
      '2026-11-24T10:30Z',
      '2026-11-24T10:30Z',
    ],
    ['winter in Berlin', [window('09:00', '17:00', { timeZone: berlin })], '2026-11-24T03:00Z', '2026-11-24T08:00Z'],
    ['summer in Berlin', [window('09:00', '17:00', { timeZone: berlin })], '2026-07-24T03:00Z', '2026-07-24T07:00Z'],
    [
      'a beginning after the clocks change',
      [window('09:00', '17:00', { days: ['sun'], timeZone: berlin })],
      '2026-10-24T12:00Z',
      '2026-10-25T08:00Z',
    ],
    [
      'a beginning that the clocks skip',
      [window('02:30', '05:00', { days: ['sun'], timeZone: berlin })],
      '2026-03-28T12:00Z',
      '2026-03-29T01:00Z',
    ],
    [
      'one that the clocks skip from its beginning to its end',
      [window('02:00', '02:45', { days: ['sun'], timeZone: berlin })],
      '2026-03-22T12:00Z',
      '2026-04-05T00:00Z',
    ],
    [
      'the first of two beginnings',
      [window('02:15', '02:45', { timeZone: berlin })],
      '2026-10-24T12:00Z',
      '2026-10-25T00:15Z',
    ],
    [
      'the second of two beginnings',
      [window('02:15', '02:45', { timeZone: berlin })],
      '2026-10-25T00:50Z',
      '2026-10-25T01:15Z',
    ],
    [
      'open again where the clocks are set back into it',
      [window('01:30', '02:15', { timeZone: berlin })],
      '2026-10-25T00:20Z',
      '2026-10-25T01:00Z',
    ],
    [
      'half an hour off',
      [window('09:00', '10:00', { timeZone: 'Asia/Kolkata' })],
      '2026-11-24T00:00Z',
      '2026-11-24T03:30Z',
    ],
    ['never', [window('09:00', '10:00', { days: [] })], '2026-11-24T00:00Z', undefined],
  ];
  for (const [name, windows, now, opens] of rows)
    it(name, () => {
      const found = nextOpening(windows, Date.parse(now));
      assert.equal(
        found === undefined ? undefined : new Date(found).toISOString(),
        opens && new Date(opens).toISOString(),
      );
    });

  it('tells a moment that is inside, and the first one', () => {
    const times = fc
      .integer({ min: 0, max: 24 * 60 - 1 })
      .map((at) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`);
    const zones = fc.constantFrom(
      'UTC',
      berlin,
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'America/New_York',
    );
    const windows = fc.record({
      days: fc.subarray([...all], { minLength: 1 }),
      from: times,
      to: times,
      timeZone: zones,
    });
    const moments = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 0, 1) });
    fc.assert(
      fc.property(
        fc.array(windows, { minLength: 1, maxLength: 3 }),
        moments,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (some, nowMs, share) => {
          const opensMs = nextOpening(some, nowMs);
          assert.ok(opensMs !== undefined && opensMs >= nowMs);
          assert.equal(nextOpening(some, opensMs), opensMs);
          const between = Math.floor(nowMs + (opensMs - nowMs) * share);
          if (between < opensMs) assert.equal(nextOpening(some, between), opensMs);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('nextOpening where clocks are set', () => {
  const minute = 60_000;
  const hour = 60 * minute;
  const zones = [
    ...[berlin, 'America/New_York', 'America/Santiago', 'America/St_Johns', 'Africa/Cairo', 'Africa/Casablanca'],
    ...['Antarctica/Troll', 'Asia/Beirut', 'Australia/Lord_Howe'],
  ].flatMap((zone) => [2024, 2026].map((year) => [zone, year] as const));
  const spans = [
    ...['00:00-00:45', '00:30-01:15', '01:30-02:15', '01:45-01:55', '02:00-02:45', '02:15-02:30', '02:15-04:00'],
    ...['02:30-03:30', '03:00-03:30', '22:00-02:20', '23:30-00:30'],
  ];
  const show = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());

  /** Hours at which another offset begins. */
  const listChanges = (timeZone: string, year: number): readonly number[] => {
    const clock = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    const offsetAt = (ms: number) => clock.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value;
    const hours = Array.from({ length: 366 * 24 }, (_, index) => Date.UTC(year, 0, 1) + index * hour);
    const offsets = hours.map(offsetAt);
    return hours.filter((_, index) => index > 0 && offsets[index] !== offsets[index - 1]);
  };

  /** From four hours before the change to three after it, each against the minutes that follow it. */
  const compare = (one: WriteWindow, changeMs: number): void => {
    const minutes = Array.from({ length: 30 * 60 }, (_, index) => changeMs - 4 * hour + index * minute);
    const open = minutes.map((ms) => isOpen(one, ms));
    for (let from = 0; from < 7 * 60; from += 13) {
      const first = open.indexOf(true, from);
      const [nowMs = 0] = minutes.slice(from);
      const found = nextOpening([one], nowMs);
      const about = `${one.from}-${one.to} at ${show(nowMs)}`;
      if (first !== -1) assert.equal(show(found), show(minutes[first]), about);
      else assert.ok((found ?? 0) > (minutes.at(-1) ?? 0), about);
    }
  };

  // Of Samoa a whole day is missing.
  for (const [zone, year] of [...zones, ['Pacific/Apia', 2011] as const])
    it(`tells the first minute that is inside: ${zone} ${year}`, () => {
      const changes = listChanges(zone, year);
      assert.ok(changes.length > 1);
      for (const span of spans) {
        const [from = '', to = ''] = span.split('-');
        for (const changeMs of changes) compare(window(from, to, { timeZone: zone }), changeMs);
      }
    });
});

describe('waitForWindow', () => {
  const nights = testPolicy({ windows: [window('22:00', '04:00')] });
  const noon = Date.parse('2026-11-24T12:00Z');
  const opensMs = Date.parse('2026-11-24T22:00Z');

  it('lets a new version wait, and tells since when it need not', () => {
    const tags = [{ tag: '1.5.0', verdict: 'selected', reason: 'highest' } as const];
    const found = waitForWindow(nights, testSelection({ digest: 'sha256:00', tags }), { nowMs: noon });
    const reason = '1.5.0: outside its windows, the next opens 2026-11-24T22:00Z';
    const waiting = { kind: 'waiting', tag: undefined, digest: undefined, reason, wakeMs: opensMs } as const;
    assert.deepEqual(found, testSelection({ ...waiting, tags: [{ tag: '1.5.0', verdict: 'waiting', reason }] }));
  });

  it('writes no digest beside the current version either', () => {
    const current = testSelection({ kind: 'current', digest: 'sha256:00' });
    const found = waitForWindow(nights, current, { nowMs: noon });
    assert.deepEqual(found, testSelection({ kind: 'current', tag: undefined, digest: undefined }));
  });

  it('changes nothing inside a window, without windows, and where nothing would be written', () => {
    const rows = [
      [nights, testSelection(), opensMs],
      [testPolicy(), testSelection(), noon],
      [nights, testSelection({ kind: 'none', tag: undefined }), noon],
    ] as const;
    for (const [policy, selection, nowMs] of rows) assert.equal(waitForWindow(policy, selection, { nowMs }), selection);
  });
});
