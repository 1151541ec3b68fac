import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeText, maxYamlBytes } from '../../src/yaml/decode-text.ts';
import { readYaml } from '../../src/yaml/read-yaml.ts';
import { textOf } from '../../src/yaml/scalar-source.ts';
import { formatPath, pathOf, type ScalarPlace, walkNodes } from '../../src/yaml/walk-nodes.ts';

const values = (text: string) =>
  readYaml(text, 'a.yaml').documents.flatMap((document) => {
    const found: ScalarPlace[] = [];
    walkNodes(document, { scalar: (place) => found.push(place) });
    return found.map(({ node, link }) => [
      formatPath(pathOf(link)),
      textOf(node),
      text.slice(node.range[0], node.range[1]),
    ]);
  });

describe('readYaml', () => {
  it('gives each value its source and place, behind a byte order mark and with CRLF too', () => {
    assert.deepEqual(values('\ufeffa: {b: "x", c: [1.10, \'y\']}\r\nd:\r\n  - e: &k z # c\r\n'), [
      ['a.b', 'x', '"x"'],
      ['a.c[0]', '1.10', '1.10'],
      ['a.c[1]', 'y', "'y'"],
      ['d[0].e', 'z', 'z'],
    ]);
  });

  it('reports a broken document at its line and keeps the others', () => {
    const file = readYaml('a: 1\n---\nb: [1\n---\nc: 2\n', 'x.yaml');
    assert.equal(file.documents.length, 2);
    assert.deepEqual(
      file.problems.map(({ code, place }) => [code, place?.file, place?.line]),
      [['FileUnreadable', 'x.yaml', 4]],
    );
  });

  it('finds marker comments and the scalars before them on their line', () => {
    const text = 'a: {b: x, c: y} # {"$imagepolicy": "n:p"}\n# $imagepolicy\nd: # other\n';
    const { comments } = readYaml(text, 'a.yaml');
    assert.deepEqual(
      comments.map((comment) => comment.scalarOffsets.map((offset) => text[offset])),
      [['a', 'b', 'x', 'c', 'y'], []],
    );
  });

  const deep: Record<string, string> = {
    'flow sequences': '['.repeat(200_000),
    'flow maps': '{a: '.repeat(100_000),
    'block sequences on one line': '- '.repeat(200_000),
    'explicit keys': '? '.repeat(200_000),
    'indented maps': Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
    mixed: `${'- '.repeat(60)}${'['.repeat(60)}`,
  };
  for (const [name, text] of Object.entries(deep)) {
    it(`refuses ${name} nested past the limit, at once`, () => {
      const start = performance.now();
      assert.throws(() => readYaml(text, 'deep.yaml'), { code: 'FileUnreadable', message: /deeper than 100 levels/ });
      assert.ok(performance.now() - start < 5000);
    });
  }

  const excessive: Record<string, [string, RegExp]> = {
    'too many documents': ['...\n'.repeat(260_000), /more than 2000 documents/],
    'too many values': [`[${'x, '.repeat(340_000)}]`, /more than 250000 values/],
    'too many empty items': ['-\n'.repeat(500_000), /more than 250000 values/],
    'too many anchors': ['- &a x\n'.repeat(149_000), /more than 250000 values/],
    'broken lines that pile up': [`${'a: b: c\n'.repeat(4000)}\n---\nb: 1\n`, /too tangled/],
  };
  for (const [name, [text, message]] of Object.entries(excessive)) {
    it(`refuses ${name}, soon`, () => {
      const start = performance.now();
      assert.throws(() => readYaml(text, 'big.yaml'), { code: 'FileUnreadable', message });
      assert.ok(performance.now() - start < 5000);
    });
  }

  const faulty: Record<string, string> = {
    'a document': `image: x\n${'- b\n'.repeat(100_000)}`,
    'many documents': `# x\n${'a: b: c\n---\n'.repeat(1_900)}`,
  };
  for (const [name, text] of Object.entries(faulty)) {
    it(`stops reading ${name} with more faults than anybody would mend`, () => {
      const { problems, documents } = readYaml(text, 'faulty.yaml');
      assert.deepEqual(documents, []);
      assert.ok(problems.length >= 1 && problems.length <= 21, `${problems.length} problems`);
      assert.equal(problems[0]?.place?.line, 2);
    });
  }

  it('reads nesting up to the limit', () => {
    assert.equal(readYaml(`${'['.repeat(99)}${']'.repeat(99)}`, 'a.yaml').problems.length, 0);
    const brackets = 'a: "[[[[" # {{{{\n'.repeat(500);
    assert.equal(readYaml(brackets, 'a.yaml').problems.length, 0, 'brackets in strings and comments are no nesting');
    const list = '- a:\n    - b\n'.repeat(500);
    assert.equal(readYaml(list, 'a.yaml').problems.length, 0, 'a long list is not a deep one');
  });

  it('reads 100,000 keys, some twice, in bounded time', () => {
    const start = performance.now();
    const text = Array.from({ length: 100_000 }, (_, index) => `k${index % 60_000}: v\n`).join('');
    assert.equal(readYaml(text, 'a.yaml').problems.length, 0);
    assert.ok(performance.now() - start < 20_000);
  });
});

describe('decodeText', () => {
  const refused: Record<string, [Uint8Array, RegExp]> = {
    'a file past the limit': [new Uint8Array(maxYamlBytes + 1).fill(97), /at most 1048576/],
    'a binary file': [Uint8Array.of(97, 0, 98), /binary/],
    'bytes that are not UTF-8': [Uint8Array.of(97, 0xff, 0xfe), /not valid UTF-8/],
    'UTF-16': [Uint8Array.from(Buffer.from('\ufeffa: 1\n', 'utf16le')), /binary|UTF-8/],
  };
  for (const [name, [bytes, message]] of Object.entries(refused)) {
    it(`refuses ${name}`, () => assert.throws(() => decodeText(bytes, 'x.yaml'), { code: 'FileUnreadable', message }));
  }

  it('keeps a byte order mark', () => assert.equal(decodeText(Buffer.from('\ufeffa'), 'x'), '\ufeffa'));
});
