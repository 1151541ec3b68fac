import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseImageReference } from '../../../src/image/reference.ts';
import type { Credential } from '../../../src/registry/credentials/credential.ts';
import { createPullSecretsSource } from '../../../src/registry/credentials/pull-secrets.ts';

const { signal } = new AbortController();
const entry = (username: string): object => ({ auth: Buffer.from(`${username}:hunter2`).toString('base64') });
const modern = (auths: object): string => JSON.stringify({ auths });

const noSettings = () => ({});

describe('createPullSecretsSource', () => {
  const rows: [name: string, texts: string[], image: string, username: string | undefined][] = [
    ['no secrets', [], 'ghcr.io/acme/web', undefined],
    ['none for the host', [modern({ 'quay.io': entry('u') })], 'ghcr.io/acme/web', undefined],
    ['.dockerconfigjson', [modern({ 'ghcr.io': entry('u') })], 'ghcr.io/acme/web', 'u'],
    ['.dockercfg', [JSON.stringify({ 'https://index.docker.io/v1/': entry('hub') })], 'nginx', 'hub'],
    [
      'the first that has it',
      [modern({}), modern({ 'a.io': entry('one') }), modern({ 'a.io': entry('two') })],
      'a.io/x',
      'one',
    ],
    [
      'a secret before a closer path in a later one',
      [modern({ 'a.io': entry('one') }), modern({ 'a.io/x': entry('two') })],
      'a.io/x',
      'one',
    ],
    ['a broken one behind it', [modern({ 'a.io': entry('one') }), '{'], 'a.io/x', 'one'],
    ['helpers are never run', [JSON.stringify({ credHelpers: { 'a.io': 'x' }, credsStore: 'x' })], 'a.io/x', undefined],
  ];
  for (const [name, texts, image, username] of rows)
    it(name, async () => {
      const source = createPullSecretsSource({ listPullSecrets: async () => texts }, noSettings);
      const expected: Credential | undefined = username === undefined ? undefined : { username, password: 'hunter2' };
      assert.deepEqual(await source.find(parseImageReference(image), { signal }), expected);
    });

  it('uses a changed secret at once', async () => {
    const texts = [modern({ 'a.io': entry('old') })];
    const source = createPullSecretsSource({ listPullSecrets: async () => texts }, noSettings);
    const find = () => source.find({ host: 'a.io', path: 'x' }, { signal });
    assert.deepEqual(await find(), { username: 'old', password: 'hunter2' });
    texts[0] = modern({ 'a.io': entry('new') });
    assert.deepEqual(await find(), { username: 'new', password: 'hunter2' });
    texts.pop();
    assert.equal(await find(), undefined);
  });

  it('gives a mirror what is for the mirror alone', async () => {
    const endpoint = 'https://mirror.example:8443';
    const upstream = modern({ 'docker.io': entry('upstream') });
    const texts = [upstream];
    const source = createPullSecretsSource({ listPullSecrets: async () => texts }, () => ({ endpoint }));
    const find = () => source.find(parseImageReference('nginx'), { signal });
    assert.equal(await find(), undefined);
    texts.push(modern({ 'mirror.example:8443': entry('mirror') }));
    assert.deepEqual(await find(), { username: 'mirror', password: 'hunter2' });
  });

  it('tells which secret is broken, without its content', async () => {
    const source = createPullSecretsSource(
      {
        listPullSecrets: async () => [modern({}), '{"auths":{"a.io":"hunter2"}}'],
      },
      noSettings,
    );
    await assert.rejects(source.find({ host: 'a.io', path: 'x' }, { signal }), {
      code: 'ConfigInvalid',
      message:
        'Cannot use the entry for "a.io" in pull secret 2 of 2: it is no JSON object, one with "auth" was wanted',
    });
  });

  it('hands the signal on, and the failure back', async () => {
    const source = createPullSecretsSource(
      {
        listPullSecrets: async (options) => {
          assert.equal(options.signal, signal);
          throw new Error('no cluster');
        },
      },
      noSettings,
    );
    await assert.rejects(source.find({ host: 'a.io', path: 'x' }, { signal }), /no cluster/);
    source.forget({ host: 'a.io', path: 'x' });
  });
});
