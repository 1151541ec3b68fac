import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeApp } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { startWorld, tipOf, type World } from './world.ts';

describe('a registry that wants a sign-in, and a configuration without one', { concurrency: 3 }, () => {
  let world: World;
  let auths: string;

  before(async () => {
    world = await startWorld();
    for (const image of ['acme/web', 'acme/api']) for (const tag of ['1.4.2', '1.5.0']) await world.publish(image, tag);
    const { username, password } = world.registry.credential ?? { username: '', password: '' };
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    auths = JSON.stringify({ auths: { [world.registry.host]: { auth } } });
  });
  after(() => world?.close());

  /** A folder with files, in the world's. */
  const makeFolder = (name: string, files: Readonly<Record<string, string>>): string => {
    const folder = join(world.folder, name);
    mkdirSync(folder);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    return folder;
  };
  const makeProgram = (folder: string, name: string, lines: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${lines}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const runWith = async (name: string, env: Record<string, string>, settings: object = {}) => {
    const { host } = world.registry;
    const apps = { ...makeApp('web', `${host}/acme/web`, '1.4.2'), ...makeApp('api', `${host}/acme/api`, '1.4.2') };
    const bare = world.makeRepo(name, apps);
    const start = tipOf(bare);
    const config = world.configure(name, { repos: [world.remote(name)], registries: [], ...settings });
    const result = await world.run(['run', '--once', '--config', config], env);
    return { result, committed: tipOf(bare) !== start };
  };
  const codesOf = ({ log }: Finished): unknown[] => [...new Set(log.map(({ code }) => code).filter(Boolean))];

  const places: [name: string, env: () => Record<string, string>][] = [
    ['docker-config', () => ({ DOCKER_CONFIG: makeFolder('docker', { 'config.json': auths }) })],
    [
      'home',
      () => {
        const HOME = makeFolder('home', {});
        mkdirSync(join(HOME, '.docker'));
        writeFileSync(join(HOME, '.docker/config.json'), auths);
        return { HOME };
      },
    ],
  ];
  for (const [name, env] of places)
    it(`signs in with what it finds: ${name}`, async () => {
      const { result, committed } = await runWith(name, env());
      assert.equal(result.code, 0, result.stderr);
      assert.ok(committed);
    });

  it('signs in with what a credential helper gives, and asks it once', async () => {
    const { host, credential } = world.registry;
    const folder = makeFolder('helper', { 'config.json': JSON.stringify({ credHelpers: { [host]: 'tally' } }) });
    const answer = JSON.stringify({ ServerURL: host, Username: credential?.username, Secret: credential?.password });
    makeProgram(folder, 'docker-credential-tally', `echo "$* $(cat)" >> ${folder}/asked; echo '${answer}'`);
    const { result, committed } = await runWith('helped', {
      DOCKER_CONFIG: folder,
      PATH: `${folder}:${process.env.PATH}`,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(committed);
    assert.equal(readFileSync(join(folder, 'asked'), 'utf8'), `get ${host}\n`);
  });

  it('tells of a helper that fails, not what it said', async () => {
    const { credential } = world.registry;
    const folder = makeFolder('failing', { 'config.json': '{"credsStore":"fails"}' });
    makeProgram(
      folder,
      'docker-credential-fails',
      `echo '${credential?.password}' >&2; echo '${credential?.password}'; exit 9`,
    );
    const { result, committed } = await runWith('failed', {
      DOCKER_CONFIG: folder,
      PATH: `${folder}:${process.env.PATH}`,
    });
    assert.equal(committed, false);
    assert.deepEqual(codesOf(result), ['RegistryUnavailable']);
    assert.match(result.stderr, /docker-credential-fails.*ended with exit code 9/);
  });

  it('tells of a helper that is not there, and of the file that names it', async () => {
    const folder = makeFolder('missing', { 'config.json': '{"credsStore":"absent"}' });
    const { result, committed } = await runWith('missed', { DOCKER_CONFIG: folder });
    assert.equal(committed, false);
    assert.deepEqual(codesOf(result), ['ConfigInvalid']);
    assert.match(result.stderr, /docker-credential-absent.*missing\/config\.json/);
  });

  it('looks nowhere where it is told so', async () => {
    const env = { DOCKER_CONFIG: makeFolder('unused', { 'config.json': auths }) };
    const { result, committed } = await runWith('nowhere', env, { credentialSources: [] });
    assert.equal(committed, false);
    assert.deepEqual(codesOf(result), ['RegistryDenied']);
  });
});
