import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readMarks } from '../../src/hold/marks.ts';
import { nameBranch } from '../../src/propose/branch-name.ts';
import {
  formatCode,
  formatPullRequest,
  isCut,
  isOver,
  markOver,
  markResumed,
} from '../../src/propose/pull-request-text.ts';
import { runGit } from '../services/git-server.ts';

const message = (updates: number, subject = 'Update images'): string => {
  const marks = Array.from(
    { length: updates },
    (_, index) =>
      `Tallyman-Update: shop/app-${index} ghcr.io/acme/app-${index} 1.4.2 -> 1.5.0@sha256:${'ab'.repeat(32)}`,
  );
  return `${subject}\n\n- some\n\n${[...marks, 'Tallyman-Source: https://github.com/acme/web@3f2c', 'Tallyman-Plan: 3b18'].join('\n')}\n`;
};
const change = { policy: 'shop/web', from: '1.4.2', to: '1.5.0', files: ['web.yaml'] };

describe('formatPullRequest', () => {
  it('lists every change, sources, and the trailers as they are', () => {
    const { title, body } = formatPullRequest(message(1, 'shop/web: 1.4.2 → 1.5.0'), [
      change,
      { ...change, from: undefined, files: ['a', 'b'] },
    ]);
    assert.equal(title, 'shop/web: 1.4.2 → 1.5.0');
    assert.match(body, /^- `shop\/web`: `1\.4\.2` → `1\.5\.0` in `web\.yaml`\n- `shop\/web`: `1\.5\.0` in 2 files$/m);
    assert.match(body, /`https:\/\/github\.com\/acme\/web@3f2c`/);
    assert.deepEqual(readMarks(body)?.updates, readMarks(message(1))?.updates);
    assert.deepEqual(readMarks(body)?.plans, ['3b18']);
    assert.equal(isCut(body), false);
  });

  it('stays within the limits of forges, and says that it is cut', () => {
    const changes = Array.from({ length: 2000 }, (_, index) => ({ ...change, policy: `shop/app-${index}` }));
    const { title, body } = formatPullRequest(message(2000, 'x'.repeat(500)), changes);
    assert.ok(title.length <= 250);
    assert.ok(body.length < 65_536, String(body.length));
    assert.ok(isCut(body));
    assert.deepEqual(readMarks(body)?.plans, ['3b18']);
    assert.ok((readMarks(body)?.updates.length ?? 0) > 100);
  });

  for (const text of [
    '@everyone',
    '`',
    '``` @all ```',
    '<img src=x onerror=alert(1)>',
    '[a](https://evil.example)',
    '#1',
    'a\n/merge\nTallyman-Update: a b c -> d',
  ])
    it(`keeps ${JSON.stringify(text)} in one code span`, () => {
      const { body } = formatPullRequest(message(0), [{ ...change, from: text, files: [text] }]);
      const [line = ''] = body.split('\n').filter((line) => line.startsWith('- '));
      const spans = [...line.matchAll(/(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)/g)].map(([, , inner = '']) => inner.trim());
      assert.deepEqual(spans, ['shop/web', text.replace(/\s+/g, ' '), '1.5.0', text.replace(/\s+/g, ' ')]);
      assert.deepEqual(readMarks(body)?.updates, []);
    });
});

it('a code span is closed by as many backticks as it began with', () => {
  assert.equal(formatCode('a``b'), '``` a``b ```');
});

it('a body that is marked as over stays so, also with the line ends of a web form', () => {
  const over = markOver('text');
  assert.equal(isOver('text'), false);
  assert.ok(isOver(over));
  assert.equal(markOver(over), over);
  assert.ok(isOver(over.replaceAll('\n', '\r\n')));
});

describe('markResumed', () => {
  it('says it once, behind what the body says', () => {
    const body = markResumed(formatPullRequest(message(1), [change]).body, 'shop/web');
    assert.deepEqual(readMarks(body)?.resumes, ['shop/web']);
    assert.equal(readMarks(body)?.updates.length, 1);
    assert.equal(markResumed(body, 'shop/web'), body);
    assert.deepEqual(readMarks(markResumed(body, 'shop/api'))?.resumes, ['shop/web', 'shop/api']);
  });

  it('stays within the limits of forges, however many policies and whatever a person wrote there', () => {
    let body = formatPullRequest(message(300), [change]).body.concat(
      '\n',
      'x'.repeat(20_000),
      '\n',
      '- y\n'.repeat(500),
    );
    const policies = Array.from({ length: 300 }, (_, index) => `shop/app-${index}-${'n'.repeat(100)}`);
    for (const policy of policies) body = markResumed(body, policy);
    assert.ok(body.length < 65_536, String(body.length));
    assert.deepEqual(readMarks(body)?.resumes, policies);
    assert.ok(isCut(body), 'its versions are read from the commit');
    const over = markOver(body);
    assert.ok(isOver(over) && over.length < 65_536);
  });
});

describe('nameBranch', () => {
  const groups = [
    'shop',
    'my shop',
    '.',
    '..',
    'a..b',
    '.a',
    'a.',
    'a.lock',
    'a/b',
    '-x',
    '',
    '@{',
    'ä',
    '~^:?*[\\',
    '=',
    '\u007f',
    'updates',
  ];
  for (const group of groups)
    it(`git takes the name for ${JSON.stringify(group)}`, () => {
      runGit('.', ['check-ref-format', `refs/heads/${nameBranch('release/1.2', group)}`]);
    });
  it('gives each group its own', () => {
    assert.equal(new Set(groups.map((group) => nameBranch('main', group))).size, groups.length);
  });
});
