import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as api from '../src/index.ts';
import { semverRule, testPolicy } from './make-policy.ts';

/** Every `@example` is one line: an expression, and after `//` what it gives, as JSON or a literal, and perhaps a note. */
const examples = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) =>
    [...readFileSync(join('src', file), 'utf8').matchAll(/@example\n \* (.*?) \/\/ (.*)\n/g)].map((match) => ({
      file,
      expression: match[1] ?? '',
      result: match[2] ?? '',
    })),
  );

const policy = testPolicy({
  image: 'ghcr.io/acme/web',
  select: semverRule('^1.4.0'),
});
const files = new Map([['web.yaml', new TextEncoder().encode('image: ghcr.io/acme/web:1.4.2\n')]]);
const selection = api.selectTag(policy, ['1.5.0'], '1.4.2');
const plan = api.planEdits(files, [policy], [selection]);
const scope: Record<string, unknown> = { ...api, policy, files, selection, plan };

describe('documentation examples', () => {
  it('are all of the form that is run here', () => {
    const texts = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const written = texts.reduce(
      (sum, file) => sum + readFileSync(join('src', file), 'utf8').split('@example').length - 1,
      0,
    );
    assert.equal(examples.length, written);
    assert.ok(written > 10);
  });

  for (const { file, expression, result } of examples) {
    it(`${file}: ${expression}`, async () => {
      const names: Record<string, unknown> = { ...scope, ...(await import(`../src/${file}`)) };
      const evaluate = (text: string): unknown =>
        new Function(...Object.keys(names), `return (${text});`)(...Object.values(names));
      const actual = evaluate(expression);
      if (actual instanceof Uint8Array) assert.equal(result, 'the new bytes');
      else assert.deepEqual(structuredClone(actual), evaluate(result.replace(/ with .*$/, '')));
    });
  }
});
