import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { allowSigner, email, makeFolder, makeSshKey, verifyCommit } from '../git/signing-scene.ts';
import { makeApp } from './manifests.ts';
import { startWorld, tipOf, type World } from './world.ts';

describe('a configuration with a signing key', { concurrency: 2 }, () => {
  let world: World;
  let image: string;
  before(async () => {
    world = await startWorld();
    image = `${world.registry.host}/acme/web`;
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
  });
  after(() => world?.close());

  const open = (name: string) => {
    const bare = world.makeRepo(name, makeApp('web', image, '1.4.2'));
    const key = makeSshKey(makeFolder(world.folder, name), { type: 'ed25519', passphrase: 'correct horse' });
    const signing = { format: 'ssh', keyFile: key, passphraseEnv: 'SIGNING_PASSPHRASE' };
    const commit = { author: { name: 'Tallyman', email }, signing };
    return { bare, key, config: world.configure(name, { repos: [world.remote(name)], commit }) };
  };

  it('signs what it commits', async () => {
    const { bare, key, config } = open('signed');
    const env = { SIGNING_PASSPHRASE: 'correct horse' };
    const { code, stderr } = await world.run(['run', '--once', '--config', config], env);
    assert.equal(code, 0, stderr);
    const allowed = allowSigner(key);
    assert.match(
      verifyCommit(bare, tipOf(bare), { allowed }),
      /Good "git" signature[\s\S]*shop\/web: 1\.4\.2 → 1\.5\.0/,
    );
  });

  it('does not start where the key cannot be used, and tells why; commands that only look need no key', async () => {
    const { bare, key, config } = open('refused');
    const start = tipOf(bare);
    const secret = readFileSync(key, 'utf8').split('\n')[2] ?? '';
    const refuse = async (env: Readonly<Record<string, string>>, wanted: RegExp) => {
      const { code, stdout, stderr } = await world.run(['run', '--config', config], env);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
      assert.match(stderr, wanted);
      assert.ok(!stderr.includes(secret) && !stderr.includes('battery'));
    };
    await refuse({}, /^Cannot read the passphrase of ".*key": environment variable "SIGNING_PASSPHRASE" is empty or /);
    const wrong =
      /^Cannot sign commits with ".*key": the passphrase does not open it, .* \[ConfigInvalid\] Correct `commit/;
    await refuse({ SIGNING_PASSPHRASE: 'wrong battery' }, wrong);
    rmSync(key);
    await refuse({ SIGNING_PASSPHRASE: 'correct horse' }, /^Cannot read signing key file ".*key": ENOENT/);
    assert.equal((await world.run(['plan', '--config', config])).code, 0);
    assert.equal(tipOf(bare), start);
  });
});
