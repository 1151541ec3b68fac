import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';

const problemsOf = (text: string): string[] => {
  const result = parseConfig(text, 'c.yaml');
  if (!('problems' in result)) return [];
  return result.problems.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
};

const secret = '{ name: s }';
const places: Readonly<Record<string, string>> = {
  'a password of a Yaml repo': `repos: [{ url: https://a.io/x, credentials: { secret: SECRET } }]`,
  'a GitHub App': `repos: [{ url: https://a.io/x, credentials: { githubApp: { secret: SECRET } } }]`,
  'an SSH key': `repos: [{ url: git@a.io:x, ssh: { secret: SECRET } }]`,
  'an authority of a Yaml repo': `repos: [{ url: https://a.io/x, caSecret: SECRET }]`,
  'a client certificate of a Yaml repo': `repos: [{ url: https://a.io/x, clientCertificate: { secret: SECRET } }]`,
  'the token of a forge': `repos: [{ url: https://a.io/x, forge: { secret: SECRET } }]`,
  'a password of a registry': `registries: [{ host: a.io, credentials: { secret: SECRET } }]`,
  'an authority of a registry': `registries: [{ host: a.io, caSecret: SECRET }]`,
  'a client certificate of a registry': `registries: [{ host: a.io, clientCertificate: { secret: SECRET } }]`,
  'a secret of a webhook': `server: { listen: ":8080", webhooks: [{ name: a, format: github, secret: SECRET }] }`,
  'a signing key': `commit: { signing: { format: ssh, secret: SECRET } }`,
  'a password of Redis': `redis: { url: "redis://a", credentials: { secret: SECRET } }`,
  'a password of Sentinels': `redis: { sentinel: { master: m, nodes: ["a:1"], credentials: { secret: SECRET } } }`,
  'an authority of Redis': `redis: { url: "rediss://a", caSecret: SECRET }`,
};

describe('a Secret in the configuration', () => {
  for (const [name, text] of Object.entries(places)) {
    it(`may be ${name}, of namespaces that are allowed, where there is a cluster`, () => {
      const named = text.replace('SECRET', secret);
      const elsewhere = text.replace('SECRET', '{ name: s, namespace: shop }');
      assert.deepEqual(problemsOf(`kubernetes: {}\n${named}`), []);
      assert.deepEqual(problemsOf(`kubernetes: { secretNamespaces: [shop] }\n${elsewhere}`), []);
      const [off, ...more] = problemsOf(named);
      assert.match(off ?? '', /^1:\d+ .*, a cluster \(`kubernetes`, which is off\) to have it was wanted$/);
      assert.deepEqual(more, []);
      const column = `kubernetes: {}\n${elsewhere}`.split('\n')[1]?.indexOf('shop') ?? 0;
      const [refused] = problemsOf(`kubernetes: { secretNamespaces: [other] }\n${elsewhere}`);
      assert.match(refused ?? '', new RegExp(`^2:${column + 1} .*\\.namespace": .*\`kubernetes\\.secretNamespaces\``));
    });
  }

  const refused: Readonly<Record<string, [text: string, wanted: RegExp]>> = {
    'a pull secret of another namespace': [
      'kubernetes: { pullSecrets: [{ name: a }, { name: b, namespace: shop }] }',
      /pullSecrets\.1\.namespace": /,
    ],
    'a service account of another namespace': [
      'kubernetes: { serviceAccounts: [{ name: b, namespace: shop }] }',
      /serviceAccounts\.0\.namespace": /,
    ],
    'pull secrets that nobody asks': [
      'kubernetes: { pullSecrets: [{ name: a }] }\ncredentialSources: [cloud]',
      /pullSecrets": .*pull-secrets among `credentialSources`/,
    ],
    'a name that is none': ['kubernetes: { pullSecrets: [{ name: ../x }] }', /a name of Kubernetes/],
    'a name with an empty part': ['kubernetes: { pullSecrets: [{ name: a..b }] }', /a name of Kubernetes/],
    'a field that is none': ['kubernetes: { pullSecrets: [{ name: a, key: b }] }', /"kubernetes\.pullSecrets\.0\.key"/],
    'a password beside it': [
      'registries: [{ host: a.io, credentials: { passwordFile: p, secret: { name: s } } }]',
      /exactly one of passwordFile, passwordEnv and secret/,
    ],
    'a username beside it': [
      'registries: [{ host: a.io, credentials: { username: u, secret: { name: s } } }]',
      /a username beside a password, none beside a secret/,
    ],
    'no username beside a password': [
      'registries: [{ host: a.io, credentials: { passwordFile: p } }]',
      /username": .*a username beside a password/,
    ],
    'a token beside it': [
      'repos: [{ url: https://a.io/x, credentials: { tokenEnv: T, secret: { name: s } } }]',
      /exactly one of passwordFile, passwordEnv, tokenFile, tokenEnv, secret and githubApp/,
    ],
    'a username beside it in a repo': [
      'repos: [{ url: https://a.io/x, credentials: { username: u, secret: { name: s } } }]',
      /no username beside githubApp or secret/,
    ],
    "an App's key beside it": [
      'repos: [{ url: https://a.io/x, credentials: { githubApp: { privateKeyFile: k, secret: { name: s } } } }]',
      /exactly one of privateKeyFile and secret/,
    ],
    'an App without IDs': [
      'repos: [{ url: https://a.io/x, credentials: { githubApp: { privateKeyFile: k, appId: 1 } } }]',
      /appId and installationId beside privateKeyFile/,
    ],
    'an SSH key beside it': [
      'repos: [{ url: git@a.io:x, ssh: { keyFile: k, knownHostsFile: h, secret: { name: s } } }]',
      /exactly one of keyFile and secret/,
    ],
    'an SSH key without known hosts': [
      'repos: [{ url: git@a.io:x, ssh: { keyFile: k } }]',
      /knownHostsFile": it is missing, a file beside keyFile/,
    ],
    'a passphrase beside it': [
      'commit: { signing: { format: ssh, passphraseEnv: P, secret: { name: s } } }',
      /no passphraseFile or passphraseEnv beside a secret/,
    ],
    'a file of authorities beside it': [
      'registries: [{ host: a.io, caFile: f, caSecret: { name: s } }]',
      /at most one of caFile and caSecret/,
    ],
    'a certificate beside it': [
      'registries: [{ host: a.io, clientCertificate: { certFile: f, keyFile: f, secret: { name: s } } }]',
      /certFile and keyFile, or secret alone/,
    ],
    'half a certificate': [
      'registries: [{ host: a.io, clientCertificate: { certFile: f } }]',
      /certFile and keyFile, or secret alone/,
    ],
    'a variable beside it': [
      'server: { listen: ":8080", webhooks: [{ name: a, format: github, secretEnv: E, secret: { name: s } }] }',
      /exactly one of secretFile, secretEnv and secret/,
    ],
    'two tokens of a forge': [
      'repos: [{ url: https://a.io/x, forge: { tokenEnv: T, secret: { name: s } } }]',
      /at most one of tokenFile, tokenEnv and secret/,
    ],
    'a user of Redis beside it': [
      'redis: { url: "redis://a", credentials: { username: u, secret: { name: s } } }',
      /no username beside a secret/,
    ],
  };
  for (const [name, [text, wanted]] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      const problems = problemsOf(text.startsWith('kubernetes') ? text : `kubernetes: {}\n${text}`);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', wanted);
    });
  }
});
