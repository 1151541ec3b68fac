import assert from 'node:assert/strict';
import { chmodSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import { createDockerConfigSource } from '../../../src/registry/credentials/docker-config.ts';
import { openDockerConfigFile } from '../../../src/registry/credentials/docker-config-file.ts';
import { entry, modern, noHelper, type Options, prepare, signal } from './open-docker-config.ts';

describe('a file that changes', () => {
  const file = 'home/.docker/config.json';
  const user = (username: string): object => ({ username, password: 'hunter2' });

  it('is read again: written over, replaced, taken away, put back', async (context) => {
    const { find, write, folder } = prepare(context, {});
    assert.equal(await find('a.io/x'), undefined);
    write(file, modern({ 'a.io': entry('one') }));
    assert.deepEqual(await find('a.io/x'), user('one'));
    write(file, modern({ 'a.io': entry('three') }));
    assert.deepEqual(await find('a.io/x'), user('three'));
    renameSync(write('new', modern({ 'a.io': entry('seven') })), join(folder, file));
    assert.deepEqual(await find('a.io/x'), user('seven'));
    rmSync(join(folder, file));
    assert.equal(await find('a.io/x'), undefined);
    write(file, modern({ 'a.io': entry('one') }));
    assert.deepEqual(await find('a.io/x'), user('one'));
  });

  it('is read again where Kubernetes turns a link', async (context) => {
    const { find, write, folder } = prepare(context, { env: { DOCKER_CONFIG: '@/secret' } });
    write('data-1/config.json', modern({ 'a.io': entry('one') }));
    write('data-2/config.json', modern({ 'a.io': entry('two') }));
    symlinkSync(join(folder, 'data-1'), join(folder, 'secret'));
    assert.deepEqual(await find('a.io/x'), user('one'));
    symlinkSync(join(folder, 'data-2'), join(folder, 'turned'));
    renameSync(join(folder, 'turned'), join(folder, 'secret'));
    assert.deepEqual(await find('a.io/x'), user('two'));
  });

  it('tells its fault until it is mended', async (context) => {
    const { find, write } = prepare(context, { files: { [file]: '{' } });
    await assert.rejects(find('a.io/x'), { code: 'ConfigInvalid' });
    await assert.rejects(find('a.io/x'), { code: 'ConfigInvalid' });
    write(file, modern({ 'a.io': entry('one') }));
    assert.deepEqual(await find('a.io/x'), user('one'));
  });
});

describe('a file that many ask at the same time', () => {
  it('is the same for all', async (context) => {
    const { write } = prepare(context, {});
    const path = write('config.json', modern({ 'a.io': entry('one') }));
    const file = openDockerConfigFile(path, { isNamed: true });
    const found = await Promise.all(Array.from({ length: 20 }, () => file.read()));
    assert.equal(new Set(found).size, 1);
    assert.equal(await file.read(), found[0]);
  });

  it('has one fault for all', async (context) => {
    const { write } = prepare(context, {});
    const path = write('config.json', '{');
    const file = openDockerConfigFile(path, { isNamed: true });
    const fault = { code: 'ConfigInvalid', place: { file: path } };
    await Promise.all(Array.from({ length: 5 }, () => assert.rejects(file.read(), fault)));
    write('config.json', modern({}));
    assert.ok(await file.read());
  });
});

describe('a place that cannot be used', () => {
  const isFault =
    (found: RegExp) =>
    (error: unknown): boolean => {
      assert.ok(error instanceof TallymanError);
      assert.equal(error.code, 'ConfigInvalid');
      assert.match(error.message, found);
      assert.doesNotMatch([error.message, error.remedy, String(error.cause)].join(' '), /hunter2/);
      return true;
    };
  const rows: [name: string, options: Options, found: RegExp][] = [
    [
      'no JSON',
      { files: { 'home/.docker/config.json': 'hunter2' } },
      /Cannot read credentials file ".*\/home\/\.docker\/config\.json": .* wanted$/,
    ],
    [
      'a variable that is no JSON',
      { env: { DOCKER_AUTH_CONFIG: 'hunter2' } },
      /environment variable "DOCKER_AUTH_CONFIG"/,
    ],
    [
      'a bad entry',
      { files: { 'home/.docker/config.json': modern({ 'a.io': 'hunter2' }) } },
      /entry for "a\.io" in credentials file ".*config\.json"/,
    ],
    ['a folder instead of a file', { env: { REGISTRY_AUTH_FILE: '@' } }, /it is no file, a readable file was wanted/],
    ['a device', { env: { REGISTRY_AUTH_FILE: '/dev/zero' } }, /"\/dev\/zero": it is no file/],
    ['a name that is too long', { env: { REGISTRY_AUTH_FILE: `@/${'a'.repeat(300)}` } }, /ENAMETOOLONG/],
  ];
  for (const [name, options, found] of rows)
    it(name, (context) => assert.rejects(prepare(context, options).find('a.io/x'), isFault(found)));

  it('is told as the place of the fault', async (context) => {
    const { find, folder } = prepare(context, { files: { 'home/.docker/config.json': modern({ 'a.io': 5 }) } });
    await assert.rejects(find('a.io/x'), { place: { file: join(folder, 'home/.docker/config.json') } });
  });

  it('a file larger than a megabyte is not read', async (context) => {
    const { find, write } = prepare(context, {});
    truncateSync(write('home/.docker/config.json', '{}'), 1e12);
    await assert.rejects(find('a.io/x'), isFault(/larger than 1024 KiB/));
  });

  it('a file that may not be read', async (context) => {
    const { find, folder } = prepare(context, { files: { 'home/.docker/config.json': '{}' } });
    chmodSync(join(folder, 'home/.docker/config.json'), 0);
    await asNobody(folder, () => assert.rejects(find('a.io/x'), isFault(/EACCES/)));
  });

  it('somebody else’s home folder, which is none, unless it is named', async (context) => {
    const { find, folder, environment } = prepare(context, { files: { 'home/.docker/config.json': '{}' } });
    chmodSync(join(folder, 'home'), 0);
    await asNobody(folder, async () => assert.equal(await find('a.io/x'), undefined));
    environment.DOCKER_CONFIG = join(folder, 'home/.docker');
    const named = createDockerConfigSource({ env: environment, homeFolder: undefined, helper: noHelper });
    const finding = () => named.find({ host: 'a.io', path: 'x' }, { signal });
    await asNobody(folder, () => assert.rejects(finding(), isFault(/EACCES/)));
    chmodSync(join(folder, 'home'), 0o700);
  });
});

/** Modes mean nothing to the superuser, as whom containers run tests. */
async function asNobody(folder: string, action: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return action();
  chmodSync(folder, 0o755);
  process.seteuid?.(65_534);
  try {
    await action();
  } finally {
    process.seteuid?.(0);
  }
}
