import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeApp } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { reader, startWorld, tipOf, type World, writer, wrongPassword } from './world.ts';

describe('a Git server that refuses', { concurrency: 3 }, () => {
  let world: World;
  let bare: string;
  let start: string;

  before(async () => {
    world = await startWorld();
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
    bare = world.makeRepo('closed', makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
    start = tipOf(bare);
  });
  after(() => world?.close());

  const runWith = (name: string, repo: object, env?: Record<string, string>): Promise<Finished> =>
    world.run(['run', '--once', '--config', world.configure(name, { repos: [repo] })], env);
  const assertFailed = (result: Finished, expected: { code: string; msg: RegExp; remedy: RegExp }): void => {
    assert.equal(result.code, 3, result.stderr);
    const problem = result.log.find((line) => line.code !== undefined);
    assert.equal(problem?.code, expected.code);
    assert.match(problem.msg, expected.msg);
    assert.match(String(problem.remedy), expected.remedy);
    assert.equal(tipOf(bare), start);
  };

  it('a wrong password', async () => {
    const user = { name: writer.name, password: wrongPassword };
    assertFailed(await runWith('wrong', world.remote('closed', user)), {
      code: 'RepoDenied',
      msg: /^Cannot read Yaml repo "http:\/\/127\.0\.0\.1:\d+\/closed\.git": the server refused the credentials \(HTTP 401\)$/,
      remedy: /credentials .* under `repos`/,
    });
  });

  it('a user who may only read', async () => {
    assertFailed(await runWith('reader', world.remote('closed', reader)), {
      code: 'PushRejected',
      msg: /^Cannot push to Yaml repo ".*\/closed\.git": the user may not write \(HTTP 403\), write access was wanted$/,
      remedy: /write access/,
    });
  });

  it('a repository that is not there', async () => {
    assertFailed(await runWith('nowhere', world.remote('nowhere')), {
      code: 'RepoInvalid',
      msg: /the server knows no repository there \(HTTP 404\)/,
      remedy: /Correct the URL/,
    });
  });

  it('a password file that is not there', async () => {
    const credentials = { username: writer.name, passwordFile: join(world.folder, 'none') };
    assertFailed(await runWith('unreadable', { url: world.git.url('closed.git'), credentials }), {
      code: 'ConfigInvalid',
      msg: /^Cannot read secret file ".*\/none": ENOENT, a readable file was wanted$/,
      remedy: /configuration file/,
    });
  });

  it('a certificate authority file that is not there', async () => {
    const result = await runWith('authority', { ...world.remote('closed'), caFile: join(world.folder, 'no.pem') });
    assert.notEqual(result.code, 0);
    assert.doesNotMatch(result.stderr, /^ {4}at /m, 'a stack trace is no message');
    assert.match(result.stderr, /no\.pem/);
  });
});
