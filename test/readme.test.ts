import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseConfig } from '../src/config/load-config.ts';
import { readPolicies } from '../src/policy/read-policies.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``, 'gm'))].map((match) => match[1] ?? '');
const dedent = (text: string) => text.replace(/^ {3}/gm, '');

describe('README', () => {
  it('shows a policy and a configuration that are valid', () => {
    const [policy = '', config = ''] = blocks('yaml').map(dedent);
    assert.deepEqual(readPolicies(policy, 'policy.yaml').problems, []);
    assert.equal(readPolicies(policy, 'policy.yaml').policies.length, 1);
    assert.ok('config' in parseConfig(config, 'config.yaml'));
  });

  it('shows a script that runs and prints what it says', () => {
    const [script = ''] = blocks('ts');
    const folder = mkdtempSync('test/readme-');
    try {
      writeFileSync(`${folder}/script.ts`, script.replace("'tallyman'", "'../../src/index.ts'"));
      const run = spawnSync(process.execPath, ['--import', 'tsx', `${folder}/script.ts`], { encoding: 'utf8' });
      const wanted = [...script.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
      assert.equal(wanted.length, 2);
      assert.deepEqual(
        run.stdout
          .trim()
          .split('\n')
          .filter((line) => line !== ''),
        wanted,
        run.stderr,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const named = [...readme.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? '');
    assert.ok(named.length >= 4);
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
  });
});
