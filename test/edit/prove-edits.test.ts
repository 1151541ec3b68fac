import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Edit } from '../../src/edit/plan.ts';
import { proveEdits } from '../../src/edit/prove-edits.ts';

/** The edit that puts `newText`, read as `value`, in place of the first `oldText`. */
function edit(
  before: string,
  oldText: string,
  { newText, value = newText }: { newText: string; value?: string },
): Edit {
  const start = Buffer.byteLength(before.slice(0, before.indexOf(oldText)));
  return {
    file: 'a.yaml',
    start,
    end: start + Buffer.byteLength(oldText),
    oldText,
    newText,
    value,
    fileBytes: Buffer.byteLength(before),
    update: { policy: 'shop/web', image: 'web', from: '1', to: '2' },
    line: 1,
    path: 'a',
  };
}

interface Row {
  before: string;
  after: string;
  change: [string, { newText: string; value?: string }];
}

const refused: Record<string, Row> = {
  'another value than planned': { before: 'a: old\n', after: 'a: other\n', change: ['old', { newText: 'new' }] },
  'a value beside it': { before: 'a: old\nb: 1\n', after: 'a: new\nb: 2\n', change: ['old', { newText: 'new' }] },
  'a key': { before: 'a: old\nb: 1\n', after: 'a: new\nc: 1\n', change: ['old', { newText: 'new' }] },
  'a key that is planned': { before: 'old: 1\n', after: 'new: 1\n', change: ['old', { newText: 'new' }] },
  'a number for a string': { before: 'a: old\n', after: 'a: 1.10\n', change: ['old', { newText: '1.10' }] },
  'what YAML 1.1 takes for a boolean': { before: 'a: old\n', after: 'a: yes\n', change: ['old', { newText: 'yes' }] },
  'a string beside a tag for numbers': {
    before: 'a: !!int 5\n',
    after: 'a: !!int 1.2.0\n',
    change: ['5', { newText: '1.2.0' }],
  },
  'one node more': { before: 'a: old\n', after: 'a: new\nb: 1\n', change: ['old', { newText: 'new' }] },
  'broken YAML': { before: 'a: old\n', after: 'a: [new\n', change: ['old', { newText: '[new', value: 'new' }] },
  'flow style': { before: 'a: {b: old}\n', after: 'a:\n  b: new\n', change: ['old', { newText: 'new' }] },
  'an anchor': { before: 'a: &x old\n', after: 'a: &y new\n', change: ['old', { newText: 'new' }] },
  'the name of an alias': {
    before: 'x: &x 1\ny: &y 2\nz: *x\na: old\n',
    after: 'x: &x 1\ny: &y 2\nz: *y\na: new\n',
    change: ['old', { newText: 'new' }],
  },
  'nothing at a value': { before: 'a: old # c\n', after: 'a: old # d\n', change: ['c\n', { newText: 'd\n' }] },
  'a block beside the planned place': {
    before: 'a: |\n  b: old\n  c: 1\n',
    after: 'a: |\n  b: new\n  c: 2\n',
    change: ['old', { newText: 'new' }],
  },
  'another block': {
    before: 'a: |\n  b: old\nz: |\n  q: 1\n',
    after: 'a: |\n  b: new\nz: |\n  q: 2\n',
    change: ['old', { newText: 'new' }],
  },
  'a comment inside a block': {
    before: 'a: |\n  b: old # x\n',
    after: 'a: |\n  b: new # y\n',
    change: ['old', { newText: 'new' }],
  },
  'a key inside a block': {
    before: 'a: |\n  old: 1\n',
    after: 'a: |\n  new: 1\n',
    change: ['old', { newText: 'new' }],
  },
  'a number inside a block': {
    before: 'a: |\n  b: old\n',
    after: 'a: |\n  b: 1.10\n',
    change: ['old', { newText: '1.10' }],
  },
  'a block that is no YAML': {
    before: 'a: |\n  {{ x\n  b: old\n',
    after: 'a: |\n  {{ x\n  b: new\n',
    change: ['old', { newText: 'new' }],
  },
  'a block within a block': {
    before: 'a: |\n  b: |\n    c: old\n',
    after: 'a: |\n  b: |\n    c: new\n',
    change: ['old', { newText: 'new' }],
  },
  'a folded block': { before: 'a: >\n  b: old\n', after: 'a: >\n  b: new\n', change: ['old', { newText: 'new' }] },
};

const proved: Record<string, Row> = {
  'a value': { before: 'ü: old # c\n', after: 'ü: new # c\n', change: ['old', { newText: 'new' }] },
  'an empty value': {
    before: 'a: # c\n',
    after: 'a: 1.5.0 # c\n',
    change: [' # c', { newText: ' 1.5.0 # c', value: '1.5.0' }],
  },
  'a value in a block': {
    before: 'a: &x |-\r\n  ☃: 1\r\n\r\n  b: old # c\r\n',
    after: 'a: &x |-\r\n  ☃: 1\r\n\r\n  b: new # c\r\n',
    change: ['old', { newText: 'new' }],
  },
};

describe('proveEdits', () => {
  for (const [name, { before, after, change }] of Object.entries(refused)) {
    it(`refuses to change ${name}`, () => {
      const edits = [edit(before, ...change)];
      assert.throws(() => proveEdits('a.yaml', { before, after, edits }), { code: 'EditRefused' });
    });
  }

  for (const [name, { before, after, change }] of Object.entries(proved)) {
    it(`lets ${name} change`, () => proveEdits('a.yaml', { before, after, edits: [edit(before, ...change)] }));
  }
});
