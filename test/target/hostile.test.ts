import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyPlan } from '../../src/edit/apply-plan.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import { findSites } from '../../src/target/find-sites.ts';
import { findImageNames } from '../../src/target/image-names.ts';
import { maxYamlBytes } from '../../src/yaml/decode-text.ts';
import { testPolicy, testSelection } from '../make-policy.ts';

const fill = (piece: string, bytes = maxYamlBytes - 100) => piece.repeat(Math.floor(bytes / Buffer.byteLength(piece)));
const numbered = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('');
const marker = '# {"$imagepolicy": "shop:web:tag"}';

/** Texts that somebody may push to make the daemon slow, each close to the largest file that is read. */
const texts: Record<string, string> = {
  '100,000 keys': numbered(100_000, (index) => `k${index}: v\n`),
  'one key 100,000 times': fill('image: w:1\n'),
  'a bomb of aliases': `a0: &a0 [x, x]\n${numbered(90, (i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]\n`)}image: ghcr.io/acme/web:1.0.0\n`,
  '100,000 aliases': `a: &a 1\nb:\n${fill('- *a\n', 900_000)}`,
  'a scalar of a megabyte': `image: ${fill('x')}`,
  'a quoted scalar of a megabyte': `image: "${fill('x')}"`,
  '350,000 empty items': fill('-\n', 700_000),
  '250,000 items deep inside': `${'['.repeat(90)}${fill('a,', 500_000)}${']'.repeat(90)}`,
  'sequence of small maps': fill('- {name: a, tag: 1}\n'),
  'many images in parts': fill('- {repository: a/b, tag: 1}\n'),
  'many parameters': `helm: {parameters: [\n${numbered(20_000, (i) => `{name: a${i}.tag, value: 1}, {name: b, value: x},\n`)}]}\n`,
  'one parameter many times': `helm: {parameters: [\n${fill('{name: a.tag, value: 1},\n', 900_000)}]}\n`,
  'many markers': fill(`- 1 ${marker}\n`),
  'many bad markers': fill('- 1 # {"$imagepolicy": {"$imagepolicy"\n'),
  'many empty marked values': fill(`- ${marker}\n`),
  'markers behind one line of values': `[${fill('a,', 400_000)}] ${marker}\n`,
  'many blocks with markers': fill(`- |\n  - a ${marker}\n`),
  'one block with markers': `a: |\n${fill(`  - a ${marker}\n`)}`,
  'keys in comments': fill('image: #'),
  'keys in comment lines': fill('#image: #\n'),
  'keys in keys': fill('image:'),
  'keys and anchors': fill('image: &'),
  'keys and anchors in one word': fill('image:&'),
  'keys and quotes': fill('image:"'),
  'keys and blanks': fill('image \t\n'),
  'no comment ends': fill('tag#'),
  'names in comments': `tag: 1\n${fill('name#\n\n')}`,
  'words of a list': `kustomize:\n  images:\n${fill('  - a:b\n', 900_000)}`,
};

describe('hostile text', () => {
  for (const [name, text] of Object.entries(texts)) {
    it(`takes bounded time: ${name}`, () => {
      assert.ok(Buffer.byteLength(text) <= maxYamlBytes, 'it is looked into at all');
      const start = performance.now();
      findImageNames(text);
      const filtered = performance.now();
      assert.ok(filtered - start < 5000, `filter: ${filtered - start} ms`);
      findSites(Buffer.from(text), 'a.yaml');
      assert.ok(performance.now() - filtered < 30_000, `sites: ${performance.now() - filtered} ms`);
    });
  }

  it('edits 30,000 places of one file in bounded time', () => {
    const files = new Map([['a.yaml', Buffer.from(numbered(30_000, () => '- image: ghcr.io/acme/web:1.0.0\n'))]]);
    const start = performance.now();
    const plan = planEdits(files, [testPolicy()], [testSelection()]);
    const applied = applyPlan(files, plan);
    assert.equal(plan.edits.length, 30_000);
    assert.deepEqual(applied.problems, []);
    assert.equal(applied.files.size, 1);
    assert.ok(performance.now() - start < 60_000, `${performance.now() - start} ms`);
  });

  it('never expands aliases, and finds what stands beside them', () => {
    const { sites } = findSites(Buffer.from(texts['a bomb of aliases'] ?? ''), 'a.yaml');
    assert.deepEqual(
      sites.map((site) => site.scalars[0]?.value),
      ['ghcr.io/acme/web:1.0.0'],
    );
  });
});
