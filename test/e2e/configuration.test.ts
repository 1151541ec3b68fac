import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startProgram } from './run-program.ts';

const faulty = `repos:
  - url: https://bot:hunter2-secret@git.example.com/deploy.git
    credentials: { username: bot }
  - { url: https://git.example.com/other.git, path: /srv/other }
registries:
  - { hots: ghcr.io }
intervalSeconds: 0
log: { level: loud }
colour: red
`;

describe('a configuration that cannot be used', { concurrency: 3 }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tallyman-configuration-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const runWith = (text: string, name: string) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return startProgram(['run', '--once', '--config', file], {}).finished;
  };

  it('is told with all its problems at once: file, line, column, code, remedy', async () => {
    const { code, stdout, stderr } = await runWith(faulty, 'faulty.yaml');
    assert.equal(code, 2);
    assert.equal(stdout, '');
    const lines = stderr.trimEnd().split('\n');
    const places = lines.map((line) =>
      /faulty\.yaml:(\d+:\d+): Cannot use field "([^"]+)": .* was wanted \[ConfigInvalid\] Correct /
        .exec(line)
        ?.slice(1)
        .join(' '),
    );
    assert.deepEqual(places.sort(), [
      '2:10 repos.0.url',
      '3:18 repos.0.credentials',
      '4:5 repos.1',
      '6:5 registries.0.host',
      '6:7 registries.0.hots',
      '7:18 intervalSeconds',
      '8:15 log.level',
      '9:1 colour',
    ]);
    assert.doesNotMatch(stderr, /hunter2/);
  });

  it('may not hold a password in an address, and does not show it', async () => {
    const { code, stderr } = await runWith(
      'repos: [{ url: "https://bot:hunter2@git.example.com/x" }]\n',
      'password.yaml',
    );
    assert.equal(code, 2);
    assert.match(stderr, /password\.yaml:1:16: Cannot use field "repos\.0\.url": .*credentials/);
    assert.doesNotMatch(stderr, /hunter2/);
  });

  it('nor may --repo hold one, and it is not shown', async () => {
    const { code, stdout, stderr } = await startProgram(['check', '--repo', 'http://bot:hunter2@127.0.0.1:1/x'], {})
      .finished;
    assert.notEqual(code, 0);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
  });

  it('is not there, or names no repo, or comes with a flag that is not known', async () => {
    const runs: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ['run', '--config', join(folder, 'none.yaml')],
        /Cannot read configuration ".*none\.yaml": ENOENT, a readable file was wanted \[ConfigInvalid\]/,
      ],
      [['run', '--once'], /no Yaml repo is named, --repo URL-or-PATH or `repos` in the configuration was wanted/],
      [
        ['check', '--repo', 'git@git.example.com:acme/x.git'],
        /Cannot use an SSH address of a Yaml repo: no `ssh` is set for it, one was wanted \[ConfigInvalid\]/,
      ],
      [['check', '--repo', 'ssh://-oProxyCommand=x/y'], /Cannot use --repo: a host name or an IP address was wanted/],
      [
        ['check', '--repo', 'ftp://git.example.com/x'],
        /Cannot use --repo: an address https:\/\/host\/path, ssh:\/\/user@host\/path or user@host:path was wanted/,
      ],
      [
        ['check', '--repo', 'https://git.example.com/x?token=1'],
        /Cannot use --repo: an address without a query was wanted/,
      ],
      [['run', '--onse'], /unknown option '--onse'/],
    ];
    const results = await Promise.all(runs.map(([args]) => startProgram(args, {}).finished));
    for (const [index, { code, stderr }] of results.entries()) {
      assert.equal(code, 2, stderr);
      assert.match(stderr, runs[index]?.[1] ?? /^$/);
    }
  });
});
