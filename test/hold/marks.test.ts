import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatHeldMark,
  formatHoldMark,
  formatKeptMark,
  formatResumeMark,
  formatUpdateMark,
  readMarks,
} from '../../src/hold/marks.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const update = { policy: 'shop/web', image: 'ghcr.io/acme/web', from: '1.4.2', to: '1.5.0' };
const none = { updates: [], held: [], kept: [], holds: [], resumes: [], plans: [], bases: [] };

describe('readMarks', () => {
  const rows: Record<string, [string, ReturnType<typeof readMarks>]> = {
    'nothing in a person’s commit': ['Scale up\n\nSigned-off-by: Ann\n', undefined],
    'nothing in what git revert writes': [
      'Revert "shop/web: 1.4.2 → 1.5.0"\n\nThis reverts commit 3f2c9a1e.\n',
      undefined,
    ],
    'an update': [`Subject\n\n${formatUpdateMark(update)}\n`, { ...none, updates: [update] }],
    'an update of a place without a version': [
      formatUpdateMark({ ...update, from: undefined }),
      { ...none, updates: [{ ...update, from: undefined }] },
    ],
    'a version kept': [`Subject\n\n${formatKeptMark(update)}\n`, { ...none, kept: [update] }],
    'held versions, and the plan': [
      `Tallyman-Held: shop/web 1.5.0@${digest}\nTallyman-Plan: 12ab`,
      { ...none, held: [{ policy: 'shop/web', version: `1.5.0@${digest}` }], bases: [], plans: ['12ab'] },
    ],
    'a hold with its reason': [
      'Hold\n\nTallyman-Hold: shop/web until the audit is done\n',
      { ...none, holds: [{ policy: 'shop/web', reason: 'until the audit is done' }] },
    ],
    'a hold without one': ['Tallyman-Hold: shop/web', { ...none, holds: [{ policy: 'shop/web', reason: '' }] }],
    'a resume': ['Tallyman-Resume: shop/web', { ...none, resumes: ['shop/web'] }],
    'lines that end as Windows has it': ['a\r\n\r\nTallyman-Resume: shop/web\r\n', { ...none, resumes: ['shop/web'] }],
    'lines in the middle, as squashing leaves them': [
      `* one\n\n${formatUpdateMark(update)}\n\n* two\n\nCo-authored-by: Ann\n`,
      { ...none, updates: [update] },
    ],
    'nothing in a quoted or broken line': [
      ' Tallyman-Resume: shop/web\n> Tallyman-Hold: shop/web\nTallyman-Update: shop/web 1 -> 2\nTallyman-Held: shop/web\nTallyman-Resume:\n',
      none,
    ],
  };
  for (const [name, [message, marks]] of Object.entries(rows)) {
    it(name, () => assert.deepEqual(readMarks(message), marks));
  }

  it('reads a megabyte of anything in no time', () => {
    const started = performance.now();
    for (const text of ['Tallyman-Update: ', 'Tallyman-Hold: a ', ' \t', 'Tallyman-Held:   ']) {
      readMarks(`Tallyman-Hold: ${text.repeat(1_000_000 / text.length)}a`);
      readMarks(`${`${text}\n`.repeat(1_000_000 / text.length)}`);
    }
    assert.ok(performance.now() - started < 10_000);
  });
});

describe('lines of commits', () => {
  it('are read as they were written, one line each, whatever stood in the file or was given as a reason', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (from, reason) => {
        const lines = [
          formatUpdateMark({ ...update, from: from === '' ? undefined : from }),
          formatHeldMark({ policy: 'shop/web', version: '1.5.0' }),
          formatKeptMark({ ...update, from: from === '' ? undefined : from }),
          formatHoldMark({ policy: 'shop/api', reason }),
          formatResumeMark('shop/db'),
        ];
        assert.equal(lines.join('\n').split(/[\r\n]/).length, 5);
        const marks = readMarks(lines.join('\n'));
        assert.equal(marks?.updates.length, 1);
        assert.deepEqual(
          [marks.updates[0]?.to, marks.kept[0]?.to, marks.held.length, marks.holds[0]?.policy, marks.resumes],
          ['1.5.0', '1.5.0', 1, 'shop/api', ['shop/db']],
        );
      }),
    );
  });
});
