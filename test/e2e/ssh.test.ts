import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { makeSshKey, type SshServer, startSshServer } from '../services/ssh-server.ts';
import { formatPolicy } from './manifests.ts';
import { startWorld, tipOf, type World } from './world.ts';

describe('the program over SSH', () => {
  let world: World;
  let server: SshServer;
  before(async () => {
    world = await startWorld();
    server = await startSshServer();
  });
  after(async () => {
    await server.close();
    await world.close();
  });

  it('commits with a locked deploy key, and trusts the server in known_hosts alone', { timeout: 120_000 }, async () => {
    for (const tag of ['1.0.0', '1.1.0']) await world.publish('acme/web', tag);
    const image = `image: ${world.registry.host}/acme/web:`;
    const bare = world.makeRepo('ssh', {
      'policy.yaml': formatPolicy('web', `${world.registry.host}/acme/web`),
      'web.yaml': `${image}1.0.0\n`,
    });
    const key = makeSshKey(world.folder, 'ed25519', { passphrase: 'open sesame' });
    server.authorize(key.publicKey);
    const knownHostsFile = world.write('known_hosts', '');
    const ssh = { keyFile: key.file, passphraseEnv: 'SSH_PASSPHRASE', knownHostsFile };
    const config = world.configure('ssh', { repos: [{ url: server.url(bare), ssh }] });
    const base = tipOf(bare);
    const run = (passphrase: string) =>
      world.run(['run', '--once', '--config', config], { SSH_PASSPHRASE: passphrase });
    const strange = await run('open sesame');
    assert.equal(strange.code, 3, strange.stderr);
    assert.match(strange.stderr, /has no key for .*SHA256:/);
    assert.match(strange.stderr, /ssh-keyscan/);
    world.write('known_hosts', server.knownHosts);
    const locked = await run('open barley');
    assert.match(locked.stderr, /the passphrase does not open it/);
    assert.equal(tipOf(bare), base);
    const done = await run('open sesame');
    assert.equal(done.code, 0, done.stderr);
    assert.equal(runGit(bare, ['show', 'main:web.yaml']), `${image}1.1.0`);
    for (const { stdout, stderr } of [strange, locked, done]) assert.doesNotMatch(stdout + stderr, /sesame|barley/);
  });
});
