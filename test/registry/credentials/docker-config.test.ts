import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Credential } from '../../../src/registry/credentials/credential.ts';
import { entry, modern, prepare } from './open-docker-config.ts';

describe('where the credential is taken from', () => {
  const files = {
    'named.json': modern({ 'a.io': entry('named') }),
    'docker/config.json': modern({ 'a.io': entry('docker-folder') }),
    'home/.docker/config.json': modern({ 'a.io': entry('home') }),
    'run/containers/auth.json': modern({ 'a.io': entry('run') }),
    'xdg/containers/auth.json': modern({ 'a.io': entry('xdg') }),
    'home/.config/containers/auth.json': modern({ 'a.io': entry('home-podman') }),
    'empty.json': '{}',
    'other/config.json': modern({ 'b.io': entry('other') }),
  };
  const all = {
    DOCKER_AUTH_CONFIG: modern({ 'a.io': entry('variable') }),
    REGISTRY_AUTH_FILE: '@/named.json',
    DOCKER_CONFIG: '@/docker',
    XDG_RUNTIME_DIR: '@/run',
    XDG_CONFIG_HOME: '@/xdg',
  };
  const nothing = { REGISTRY_AUTH_FILE: '@/empty.json', DOCKER_CONFIG: '@/other' };
  const rows: [name: string, env: Record<string, string>, username: string | undefined][] = [
    ['DOCKER_AUTH_CONFIG', all, 'variable'],
    ['REGISTRY_AUTH_FILE', { ...all, DOCKER_AUTH_CONFIG: '{}' }, 'named'],
    ['DOCKER_CONFIG', { ...all, DOCKER_AUTH_CONFIG: '', REGISTRY_AUTH_FILE: '@/empty.json' }, 'docker-folder'],
    ['~/.docker, as DOCKER_CONFIG is not set', { XDG_RUNTIME_DIR: '@/run' }, 'home'],
    ['~/.docker, as DOCKER_CONFIG is empty', { DOCKER_CONFIG: '' }, 'home'],
    ['XDG_RUNTIME_DIR', { ...all, ...nothing, DOCKER_AUTH_CONFIG: '{}' }, 'run'],
    ['XDG_CONFIG_HOME', { ...nothing, XDG_CONFIG_HOME: '@/xdg' }, 'xdg'],
    ['~/.config', nothing, 'home-podman'],
    [
      'files that are not there',
      { REGISTRY_AUTH_FILE: '@/none', DOCKER_CONFIG: '@/none', XDG_CONFIG_HOME: '@' },
      undefined,
    ],
    ['a path through a file', { DOCKER_CONFIG: '@/named.json', XDG_CONFIG_HOME: '@/named.json' }, undefined],
  ];
  for (const [name, env, username] of rows)
    it(name, async (context) => {
      const { find } = prepare(context, { files, env });
      assert.deepEqual(await find('a.io/acme/web'), username && { username, password: 'hunter2' });
    });

  it('each image has its own place', async (context) => {
    const { find } = prepare(context, { files, env: { DOCKER_CONFIG: '@/other' } });
    assert.deepEqual(await find('b.io/x'), { username: 'other', password: 'hunter2' });
    assert.deepEqual(await find('a.io/x'), { username: 'home-podman', password: 'hunter2' });
    assert.equal(await find('c.io/x'), undefined);
  });

  it('a user without a home has no files there', async (context) => {
    const { find } = prepare(context, { files, homeless: true });
    assert.equal(await find('a.io/x'), undefined);
  });

  it('a changed variable counts at once', async (context) => {
    const { find, environment } = prepare(context, { env: all });
    assert.deepEqual(await find('a.io/x'), { username: 'variable', password: 'hunter2' });
    environment.DOCKER_AUTH_CONFIG = modern({ 'a.io': entry('changed') });
    assert.deepEqual(await find('a.io/x'), { username: 'changed', password: 'hunter2' });
  });
});

describe('credential helpers', () => {
  const [helped, stored] = [
    { username: 'helped', password: 'p' },
    { username: 'stored', password: 'p' },
  ];
  const hub = 'https://index.docker.io/v1/';
  const listed = { username: 'listed', password: 'hunter2' };
  const rows: [name: string, config: object, found: Credential | undefined, asked: string[], image?: string][] = [
    ['the store of all hosts', { credsStore: 'store' }, stored, ['store a.io']],
    ['the helper of the host', { credHelpers: { 'a.io': 'own' }, credsStore: 'store' }, helped, ['own a.io']],
    ['its key with a scheme', { credHelpers: { 'https://A.io/': 'own' } }, helped, ['own a.io']],
    ['a helper of another host', { credHelpers: { 'b.io': 'own' } }, undefined, []],
    ['before an entry', { credHelpers: { 'a.io': 'own' }, auths: { 'a.io/x': entry('listed') } }, helped, ['own a.io']],
    [
      'an entry where it has nothing',
      { credHelpers: { 'a.io': 'lost' }, auths: { 'a.io': entry('listed') } },
      listed,
      ['lost a.io'],
    ],
    [
      'no store after a helper of its own',
      { credHelpers: { 'a.io': 'lost' }, credsStore: 'store' },
      undefined,
      ['lost a.io'],
    ],
    ['no store where it is turned off', { credHelpers: { 'a.io': '' }, credsStore: 'store' }, undefined, []],
    [
      'an entry where it is turned off',
      { credHelpers: { 'a.io': '' }, auths: { 'a.io': entry('listed') } },
      listed,
      [],
    ],
    ['an entry before the store', { auths: { 'a.io': entry('listed') }, credsStore: 'store' }, listed, []],
    ['the store for an empty entry', { auths: { 'a.io': {} }, credsStore: 'store' }, stored, ['store a.io']],
    ['no store by an empty name', { credsStore: '' }, undefined, []],
    ['Docker Hub by its old address', { credsStore: 'store' }, stored, [`store ${hub}`], 'nginx'],
    ['Docker Hub by its short name', { credHelpers: { 'docker.io': 'own' } }, helped, [`own ${hub}`], 'nginx'],
    ['Docker Hub by its long name', { credHelpers: { [hub]: 'own' } }, helped, [`own ${hub}`], 'nginx'],
  ];
  const helper = { 'own a.io': helped, 'store a.io': stored, [`own ${hub}`]: helped, [`store ${hub}`]: stored };
  for (const [name, config, found, expected, image = 'a.io/x'] of rows)
    it(name, async (context) => {
      const files = { 'home/.docker/config.json': JSON.stringify(config) };
      const { find, asked } = prepare(context, { files, helper });
      assert.deepEqual(await find(image), found);
      assert.deepEqual(
        asked.map((question) => `${question.name} ${question.server}`),
        expected,
      );
    });

  it('the next file is looked at where the store has nothing', async (context) => {
    const files = {
      'home/.docker/config.json': '{"credsStore":"lost"}',
      'home/.config/containers/auth.json': modern({ 'a.io': entry('listed') }),
    };
    assert.deepEqual(await prepare(context, { files }).find('a.io/x'), listed);
  });

  it('the file that names the helper is told', async (context) => {
    const { find, asked, folder } = prepare(context, { files: { 'home/.docker/config.json': '{"credsStore":5}' } });
    await find('a.io/x');
    const origin = `credentials file "${join(folder, 'home/.docker/config.json')}"`;
    assert.deepEqual(asked, [{ name: 5, server: 'a.io', origin }]);
  });

  it('forget by the name by which they know the host', (context) => {
    const { source, forgotten } = prepare(context, {});
    source.forget({ host: 'docker.io', path: 'library/nginx' });
    source.forget({ host: 'a.io', path: 'x' });
    assert.deepEqual(forgotten, [hub, 'a.io']);
  });
});
