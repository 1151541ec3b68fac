import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isScalar, type Scalar } from 'yaml';
import { type BlockText, findBlockText } from '../../src/yaml/block-text.ts';
import { readYaml } from '../../src/yaml/read-yaml.ts';

/** The block under the first key of the last document. */
function blockOf(text: string): BlockText | undefined {
  const node = readYaml(text, 'a.yaml').documents.at(-1)?.getIn(['a'], true);
  assert.ok(isScalar(node));
  return findBlockText(text, node as Scalar.Parsed);
}

const literal: Record<string, string> = {
  plain: 'a: |\n  x: 1\n  y: 2\n',
  clipped: 'a: |-\n  x: 1\n\n\nb: 1\n',
  kept: 'a: |+\n  x: 1\n\n \n\nb: 1\n',
  'indented by a number': 'a: |2-\n\n    x: 1\n   y\n',
  'with a comment behind its sign': 'a: |1 # why\n x\n',
  'with CRLF': 'a: |\r\n   x: 1\r\n\r\n   y: 2\r\n',
  'with an anchor': 'a: &k !!str |\n  ☃ ü😀 x\n  y\n',
  'behind other documents': '# c\n---\nb: 1\n---\na: |\n  x\n',
  'at the end without a line end': 'a: |\n  x\n  y',
  'with leading blank lines': 'a: |\n\n  \n  x\n',
  'with tabs': 'a: |\n  \tx\n  y\t\n',
  empty: 'a: |\nb: 1\n',
};

describe('findBlockText', () => {
  for (const [name, text] of Object.entries(literal)) {
    it(`places each character of a block ${name}, both ways`, () => {
      const block = blockOf(text);
      assert.ok(block);
      for (let offset = 0; offset < block.text.length; offset += 1) {
        if (block.text[offset] === '\n') continue;
        assert.equal(text[block.outerOf(offset)], block.text[offset]);
        assert.equal(block.innerOf(block.outerOf(offset)), offset);
      }
    });
  }

  it('has no inner place for indentation and for what stands around', () => {
    const text = 'a: |\n  xy\n  z\n';
    const block = blockOf(text);
    assert.deepEqual(
      Array.from(text, (_, offset) => block?.innerOf(offset)).map((inner) => inner ?? -1),
      [-1, -1, -1, -1, -1, -1, -1, 0, 1, 2, -1, -1, 3, 4],
    );
  });

  for (const [name, text] of Object.entries({ folded: 'a: >\n  x\n', quoted: 'a: "x"\n', plain: 'a: x\n' }))
    it(`is none for ${name} text`, () => assert.equal(blockOf(text), undefined));
});
