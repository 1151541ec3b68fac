import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import { createCredentialHelper } from '../../../src/registry/credentials/credential-helper.ts';
import { createHelperRunner } from '../../../src/registry/credentials/run-helper.ts';

describe('createHelperRunner', { concurrency: 4 }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tallyman-helper-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const { signal } = new AbortController();
  const env = () => ({ PATH: `${folder}:${process.env.PATH}`, GREETING: 'hello' });
  const write = (name: string, lines: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${lines}\n`);
    chmodSync(join(folder, name), 0o755);
    return name;
  };

  it('hands over the input and the word get, in this environment', async () => {
    const program = write('docker-credential-echo', 'echo "$1 $# $(cat) $GREETING $HOME"');
    const said = await createHelperRunner(env())(program, 'https://index.docker.io/v1/', { signal });
    assert.deepEqual(said, { code: 0, stdout: 'get 1 https://index.docker.io/v1/ hello \n' });
  });

  it('gives the exit code, without standard error', async () => {
    const program = write('docker-credential-fails', 'echo out; echo hunter2 >&2; exit 7');
    assert.deepEqual(await createHelperRunner(env())(program, 'a.io', { signal }), { code: 7, stdout: 'out\n' });
  });

  it('does not mind a program that never reads', async () => {
    const program = write('docker-credential-deaf', 'exec <&-; exit 3');
    const { code } = await createHelperRunner(env())(program, 'a'.repeat(1_000_000), { signal });
    assert.equal(code, 3);
  });

  it('tells of one that was killed', async () => {
    const program = write('docker-credential-killed', 'kill -9 $$');
    assert.equal((await createHelperRunner(env())(program, 'a.io', { signal })).code, null);
  });

  it('rejects where there is no program', async () => {
    await assert.rejects(createHelperRunner(env())('docker-credential-none', 'a.io', { signal }), { code: 'ENOENT' });
  });

  it('rejects where it may not be run', async () => {
    writeFileSync(join(folder, 'docker-credential-locked'), 'echo', { mode: 0o644 });
    const running = createHelperRunner({ PATH: folder })('docker-credential-locked', 'a.io', { signal });
    await assert.rejects(running, { code: 'EACCES' });
  });

  it('ends one that floods', async () => {
    const program = write('docker-credential-flood', 'while :; do echo hunter2hunter2hunter2hunter2; done');
    await assert.rejects(createHelperRunner(env())(program, 'a.io', { signal }), {
      code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
    });
  });

  it('takes no memory for a flood of standard error', async () => {
    const program = write('docker-credential-complains', 'head -c 50000000 /dev/zero >&2; echo done');
    assert.deepEqual(await createHelperRunner(env())(program, 'a.io', { signal }), { code: 0, stdout: 'done\n' });
  });

  it('ends one that hangs, and what it started', async () => {
    const late = join(folder, 'late');
    const started = join(folder, 'started');
    const program = write('docker-credential-hangs', `(sleep 1; touch ${late}) & touch ${started}; sleep 60`);
    const controller = new AbortController();
    const running = createHelperRunner(env())(program, 'a.io', { signal: controller.signal });
    while (!existsSync(started)) await wait(5);
    controller.abort(new Error('over'));
    await assert.rejects(running, /over/);
    await wait(1200);
    assert.equal(existsSync(late), false);
  });

  it('starts nothing for a signal that has ended', async () => {
    const touched = join(folder, 'touched');
    const program = write('docker-credential-touch', `touch ${touched}`);
    const ended = AbortSignal.abort(new Error('over'));
    await assert.rejects(createHelperRunner(env())(program, 'a.io', { signal: ended }), /over/);
    await wait(50);
    assert.equal(existsSync(touched), false);
  });

  const leaks: [name: string, lines: string, code: string][] = [
    ['prints secrets to standard error', 'echo hunter2 >&2; exit 1', 'RegistryUnavailable'],
    ['prints secrets to standard output', 'echo hunter2; exit 1', 'RegistryUnavailable'],
    ['answers with half a secret', 'printf \'{"Secret":"hunter2\'', 'RegistryUnavailable'],
    ['floods', 'while :; do echo hunter2hunter2hunter2; done', 'RegistryUnavailable'],
  ];
  for (const [name, lines, code] of leaks)
    it(`no secret is told of one that ${name}`, async () => {
      const suffix = name.replaceAll(' ', '-');
      write(`docker-credential-${suffix}`, lines);
      const helper = createCredentialHelper({ run: createHelperRunner(env()), now: Date.now });
      const finding = helper.find({ name: suffix, server: 'a.io', origin: 'the file' }, { signal });
      await assert.rejects(finding, (error) => {
        assert.ok(error instanceof TallymanError);
        assert.equal(error.code, code);
        assert.match(error.message, new RegExp(`docker-credential-${suffix}`));
        assert.doesNotMatch([error.message, error.remedy, String(error.cause)].join(' '), /hunter2/);
        return true;
      });
    });
});
