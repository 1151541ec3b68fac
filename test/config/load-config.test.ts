import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { readSecret } from '../../src/config/read-secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'tallyman-config-'));
after(() => rmSync(folder, { recursive: true }));

const problemsOf = (text: string) => {
  const result = parseConfig(text, 'c.yaml');
  return 'problems' in result
    ? result.problems.map(
        (problem) => `${problem.code} ${problem.place?.line}:${problem.place?.column} ${problem.message}`,
      )
    : [];
};

describe('parseConfig', () => {
  it('has the same defaults as config/default.yaml says', () => {
    const written = parseConfig(readFileSync('config/default.yaml', 'utf8'), 'config/default.yaml');
    assert.deepEqual(written, parseConfig('', 'empty.yaml'));
    assert.ok('config' in written);
  });

  it('tells every problem at once, each at its place', () => {
    const text = `repos:
  - url: ftp://x
  - url: https://user:hunter2@git.example.com/a
  - path: a
    url: https://x.example/y
intervalSeconds: soon
regstries: []
registries:
  - host: a.example
    credentials: {username: x}
log: {level: loud}
`;
    const problems = problemsOf(text);
    assert.deepEqual(
      problems.map((problem) => problem.split(' ')[1]),
      ['2:10', '3:10', '4:5', '10:18', '6:18', '11:14', '7:1'],
    );
    assert.match(problems.join('\n'), /exactly one of url and path/);
    assert.match(problems.join('\n'), /exactly one of passwordFile and passwordEnv/);
  });

  it('refuses addresses with credentials and repeats no secret', () => {
    const problems = problemsOf('repos:\n  - url: https://user:hunter2@git.example.com/a\n  - url: ftp://x\n');
    assert.equal(problems.length, 2);
    assert.match(problems[0] ?? '', /2:10 .*an address without credentials/);
    assert.doesNotMatch(problems.join(), /hunter2/);
    assert.doesNotMatch(problemsOf('registries:\n  - hunter2\n').join(), /hunter2/);
  });

  it('refuses a registry named twice, and text that is not YAML', () => {
    assert.match(problemsOf('registries: [{host: a.b}, {host: a.b}]').join(), /1:34 .*a host that no other entry has/);
    assert.match(problemsOf('a: [').join(), /^ConfigInvalid 1:/);
    assert.match(problemsOf('- a').join(), /^ConfigInvalid 1:1/);
  });
});

describe('loadConfig', () => {
  it('says which file it cannot read', async () => {
    const result = await loadConfig(join(folder, 'none.yaml'));
    assert.ok('problems' in result);
    assert.match(result.problems[0]?.message ?? '', /none\.yaml": ENOENT/);
  });
});

describe('readSecret', () => {
  it('reads a file anew each time, without its last line break', () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'one\n');
    assert.deepEqual(readSecret({ username: 'u', passwordFile }, {}), { username: 'u', password: 'one' });
    writeFileSync(passwordFile, 'two\r\n');
    assert.equal(readSecret({ username: 'u', passwordFile }, {}).password, 'two');
  });

  it('reads the environment, and says what is missing', () => {
    assert.equal(readSecret({ username: 'u', passwordEnv: 'P' }, { P: 'x' }).password, 'x');
    assert.throws(() => readSecret({ username: 'u', passwordEnv: 'P' }, {}), {
      code: 'ConfigInvalid',
      message: /"P" is empty or missing/,
    });
    assert.throws(() => readSecret({ username: 'u', passwordFile: join(folder, 'no') }, {}), { code: 'ConfigInvalid' });
  });
});
