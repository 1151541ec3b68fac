import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { createCertificateReader, readCa, readClientCertificate } from '../../src/config/read-certificate.ts';
import { readGithubApp, readRepoCredential, readSshAccess } from '../../src/config/read-repo-access.ts';
import { readSecret, readSigningKey, readWebhookSecret } from '../../src/config/read-secret.ts';
import { placesOf } from './secret-places.ts';

type Data = Readonly<Record<string, string>>;
const secret = { name: 's' };
const origin = 'Secret "own/s"';
const cert = readFileSync('test/registry/tls/localhost-cert.pem', 'utf8');
const key = readFileSync('test/registry/tls/localhost-key.pem', 'utf8');
const apiUrl = 'https://api.github.com';

/** What each place of the configuration reads of a Secret with this data. */
const readers = {
  registry: (data: Data) => readSecret({ secret }, placesOf({}, { 'own/s': data })),
  repo: (data: Data) => readRepoCredential({ secret }, placesOf({}, { 'own/s': data })),
  app: (data: Data) => readGithubApp({ secret, apiUrl }, placesOf({}, { 'own/s': data })),
  'app with IDs': (data: Data) =>
    readGithubApp({ secret, apiUrl, appId: 1, installationId: 2 }, placesOf({}, { 'own/s': data })),
  ssh: (data: Data) => readSshAccess({ secret }, placesOf({}, { 'own/s': data })),
  'ssh signing': (data: Data) => readSigningKey({ format: 'ssh', secret }, placesOf({}, { 'own/s': data })),
  'openpgp signing': (data: Data) => readSigningKey({ format: 'openpgp', secret }, placesOf({}, { 'own/s': data })),
  webhook: (data: Data) =>
    readWebhookSecret({ name: 'w', secret: { name: 's', key: 'token' } }, placesOf({}, { 'own/s': data })),
  authority: (data: Data) =>
    readCa(
      { caSecret: { name: 's', key: 'ca.crt' } },
      createCertificateReader(placesOf({}, { 'own/s': data }).readClusterSecret),
    ),
  certificate: (data: Data) =>
    readClientCertificate({ secret }, createCertificateReader(placesOf({}, { 'own/s': data }).readClusterSecret)),
} as const;
type ReaderName = keyof typeof readers;

describe('a Secret of the cluster', () => {
  const taken: [reader: ReaderName, data: Data, value: unknown][] = [
    ['registry', { username: 'u', password: 'p\n' }, { username: 'u', password: 'p', origin }],
    ['registry', { username: 'u', token: ' t' }, { username: 'u', password: ' t', origin }],
    ['repo', { username: 'u', password: 'p' }, { username: 'u', password: 'p', origin }],
    ['repo', { token: 't' }, { username: 'x-access-token', password: 't', origin }],
    ['repo', { bearerToken: 't\r\n' }, { username: 'x-access-token', password: 't', origin }],
    [
      'app',
      { githubAppID: '12\n', githubAppInstallationID: '34', githubAppPrivateKey: 'KEY\n' },
      { appId: '12', installationId: '34', privateKey: 'KEY\n', keyName: 'Secret own/s', isPublic: false },
    ],
    [
      'app',
      { appId: 'Iv1.ab', installationId: '34', privateKey: 'KEY' },
      { appId: 'Iv1.ab', installationId: '34', privateKey: 'KEY', keyName: 'Secret own/s', isPublic: false },
    ],
    [
      'app with IDs',
      { privateKey: 'KEY' },
      { appId: '1', installationId: '2', privateKey: 'KEY', keyName: 'Secret own/s', isPublic: true },
    ],
    [
      'ssh',
      { 'ssh-privatekey': 'KEY\n', known_hosts: 'a\nb\n' },
      {
        keyFile: 'Secret own/s',
        privateKey: 'KEY\n',
        passphrase: undefined,
        knownHostsFile: 'Secret own/s',
        knownHosts: 'a\nb\n',
      },
    ],
    [
      'ssh',
      { identity: 'KEY', known_hosts: 'a', password: 'p\n' },
      {
        keyFile: 'Secret own/s',
        privateKey: 'KEY',
        passphrase: 'p',
        knownHostsFile: 'Secret own/s',
        knownHosts: 'a',
      },
    ],
    ['ssh signing', { identity: 'KEY', passphrase: 'p' }, { file: 'Secret own/s', text: 'KEY', passphrase: 'p' }],
    ['openpgp signing', { 'git.asc': 'KEY' }, { file: 'Secret own/s', text: 'KEY', passphrase: undefined }],
    ['webhook', { token: 'w\n' }, 'w'],
    ['authority', { 'ca.crt': cert }, cert],
    ['certificate', { 'tls.crt': cert, 'tls.key': key, 'ca.crt': cert }, { cert, key }],
  ];
  for (const [reader, data, value] of taken)
    it(`gives ${reader} what it has under ${Object.keys(data).join(', ')}`, () =>
      assert.deepEqual(readers[reader](data), value));

  const hidden = 'hunter2';
  const refused: [reader: ReaderName, data: Data, found: string][] = [
    ['registry', { password: hidden }, 'it has "password" (its type is Opaque), "username" was wanted'],
    [
      'registry',
      { username: hidden, passwort: hidden },
      'it has "username", "passwort" (its type is Opaque), "password" or "token" or "bearerToken" was wanted',
    ],
    ['repo', {}, 'it has no keys (its type is Opaque), "password" or "token" or "bearerToken" was wanted'],
    ['repo', { password: '\n' }, 'its key "password" is empty, "password" or "token" or "bearerToken" was wanted'],
    [
      'app',
      { githubAppID: '12', githubAppInstallationID: `../${hidden}`, githubAppPrivateKey: hidden },
      'what it has for "githubAppInstallationID" is no such ID, "githubAppInstallationID" or "installationId" was wanted',
    ],
    [
      'app',
      { githubAppID: '12', githubAppPrivateKey: hidden },
      'it has "githubAppID", "githubAppPrivateKey" (its type is Opaque), "githubAppInstallationID" or "installationId" was wanted',
    ],
    ['ssh', { identity: hidden }, 'it has "identity" (its type is Opaque), "known_hosts" was wanted'],
    ['openpgp signing', { identity: hidden }, 'it has "identity" (its type is Opaque), "git.asc" was wanted'],
    ['webhook', { other: hidden }, 'it has "other" (its type is Opaque), "token" was wanted'],
    ['authority', { 'ca.crt': hidden }, 'under "ca.crt" it has no certificate in PEM, one in PEM was wanted'],
    [
      'certificate',
      { 'tls.crt': cert, 'tls.key': hidden },
      'under "tls.key" it has no private key in PEM, one in PEM was wanted',
    ],
    [
      'registry',
      Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`k${index}`, hidden])),
      'it has "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9" and 2 more (its type is Opaque), "username" was wanted',
    ],
  ];
  for (const [reader, data, found] of refused)
    it(`tells ${reader} what it lacks, and no value: ${found}`, () => {
      const isRight = (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.deepEqual([error.code, error.message], ['SecretUnavailable', `Cannot use Secret "own/s": ${found}`]);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
        return true;
      };
      assert.throws(() => readers[reader](data), isRight);
    });

  it('that pulls images is pointed to where it belongs', () => {
    const data = { '.dockerconfigjson': '{}' };
    assert.throws(() => readers.registry(data), { remedy: /`kubernetes\.pullSecrets`/ });
  });

  it('is read anew at each use, certificates too', () => {
    const held: Record<string, Data> = { 'own/s': { token: 'one' }, 'own/ca': { 'ca.crt': cert } };
    const places = placesOf({}, held);
    const readPem = createCertificateReader(places.readClusterSecret);
    const readAll = () => [
      readRepoCredential({ secret }, places).password,
      readCa({ caSecret: { name: 'ca', key: 'ca.crt' } }, readPem),
    ];
    assert.deepEqual(readAll(), ['one', cert]);
    held['own/s'] = { token: 'two' };
    held['own/ca'] = { 'ca.crt': `${cert}${cert}` };
    assert.deepEqual(readAll(), ['two', `${cert}${cert}`]);
    delete held['own/s'];
    assert.throws(readAll, { code: 'SecretUnavailable' });
  });

  it('may have its known hosts in a file', () => {
    const places = placesOf({}, { 'own/s': { 'ssh-privatekey': 'KEY' } });
    const access = readSshAccess({ secret, knownHostsFile: 'test/registry/tls/localhost-cert.pem' }, places);
    assert.deepEqual([access.privateKey, access.knownHosts], ['KEY', cert]);
  });
});
