import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { createCertificateReader } from '../../src/config/read-certificate.ts';
import { noClusterSecrets } from '../../src/config/read-cluster-secret.ts';
import { readSecret } from '../../src/config/read-secret.ts';
import { placesOf } from './secret-places.ts';

const folder = mkdtempSync(join(tmpdir(), 'tallyman-config-'));
after(() => rmSync(folder, { recursive: true }));

const readTls = (name: string) => readFileSync(`test/registry/tls/localhost-${name}.pem`, 'utf8');
const [cert, key] = [readTls('cert'), readTls('key')];

const problemsOf = (text: string) => {
  const result = parseConfig(text, 'c.yaml');
  return 'problems' in result
    ? result.problems.map(
        (problem) => `${problem.code} ${problem.place?.line}:${problem.place?.column} ${problem.message}`,
      )
    : [];
};

describe('parseConfig', () => {
  it('has the same defaults as config/default.yaml says', () => {
    const written = parseConfig(readFileSync('config/default.yaml', 'utf8'), 'config/default.yaml');
    assert.deepEqual(written, parseConfig('', 'empty.yaml'));
    assert.ok('config' in written);
  });

  it('tells every problem at once, each at its place', () => {
    const text = `repos:
  - url: ftp://x
  - url: https://user:hunter2@git.example.com/a
  - path: a
    url: https://x.example/y
intervalSeconds: soon
regstries: []
registries:
  - host: a.example
    credentials: {username: x}
log: {level: loud}
`;
    const problems = problemsOf(text);
    assert.deepEqual(
      problems.map((problem) => problem.split(' ')[1]),
      ['2:10', '3:10', '4:5', '10:18', '6:18', '11:14', '7:1'],
    );
    assert.match(problems.join('\n'), /exactly one of url and path/);
    assert.match(problems.join('\n'), /exactly one of passwordFile, passwordEnv and secret/);
  });

  it('refuses addresses with credentials and repeats no secret', () => {
    const problems = problemsOf('repos:\n  - url: https://user:hunter2@git.example.com/a\n  - url: ftp://x\n');
    assert.equal(problems.length, 2);
    assert.match(problems[0] ?? '', /2:10 .*an address without credentials/);
    assert.doesNotMatch(problems.join(), /hunter2/);
    assert.doesNotMatch(problemsOf('registries:\n  - hunter2\n').join(), /hunter2/);
  });

  it('refuses a registry named twice, and text that is not YAML', () => {
    assert.match(problemsOf('registries: [{host: a.b}, {host: a.b}]').join(), /1:34 .*a host that no other entry has/);
    assert.match(problemsOf('a: [').join(), /^ConfigInvalid 1:/);
    assert.match(problemsOf('- a').join(), /^ConfigInvalid 1:1/);
  });
});

describe('the settings of a registry', () => {
  const parseRegistry = (settings: string) => parseConfig(`registries: [{host: a.example, ${settings}}]`, 'c.yaml');

  it('have defaults', () => {
    const result = parseRegistry('');
    assert.deepEqual('config' in result && result.config.registries, [
      { host: 'a.example', plainHttp: false, maxPages: 500, trustedOrigins: [], maxInFlight: 8, minPullsLeft: 10 },
    ]);
  });

  it('may all be given', () => {
    const settings = `endpoint: "https://mirror.example:8443", clientCertificate: {certFile: a, keyFile: b},
      trustedOrigins: ["http://10.0.0.7:3000"], provider: acr, maxInFlight: 256, requestsPerSecond: 0.5, minPullsLeft: 0`;
    const result = parseRegistry(settings);
    assert.ok('config' in result, JSON.stringify(result));
    assert.equal(result.config.registries[0]?.requestsPerSecond, 0.5);
  });

  const rows: [settings: string, wanted: RegExp][] = [
    ['endpoint: mirror.example', /an address https:\/\/host was wanted/],
    ['endpoint: "https://u:hunter2@mirror.example"', /an address without credentials/],
    ['endpoint: "https://mirror.example/v2/hunter2"', /an address without a path/],
    ['endpoint: "https://mirror.example?q=hunter2"', /an address without a query/],
    ['trustedOrigins: ["10.0.0.7"]', /an address https:\/\/host was wanted/],
    ['clientCertificate: {certFile: a}', /keyFile/],
    ['provider: azure', /provider/],
    ['maxInFlight: 0', /maxInFlight/],
    ['requestsPerSecond: 0', /requestsPerSecond/],
    ['minPullsLeft: -1', /minPullsLeft/],
  ];
  for (const [settings, wanted] of rows) {
    it(`are refused with ${settings.replace('hunter2', '…')}`, () => {
      const result = parseRegistry(settings);
      const text = 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : '';
      assert.match(text, wanted);
      assert.doesNotMatch(text, /hunter2/);
    });
  }
});

describe('the host of a registry', () => {
  const same: [host: string, normal: string][] = [
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['Docker.io', 'docker.io'],
    ['GHCR.io:443', 'ghcr.io'],
    ['Registry.Corp:5000', 'registry.corp:5000'],
  ];
  for (const [host, normal] of same) {
    it(`is ${normal} where ${host} is written, in each place`, () => {
      const result = parseConfig(`registries: [{host: "${host}"}]\nallowedRegistries: ["${host}"]`, 'c.yaml');
      assert.ok('config' in result, JSON.stringify(result));
      assert.equal(result.config.registries[0]?.host, normal);
      assert.deepEqual(result.config.allowedRegistries, [normal]);
    });
  }

  const none: [host: string, wanted: RegExp][] = [
    ['https://ghcr.io', /without https:\/\//],
    ['ghcr.io/', /without a path/],
    ['a b', /a host name or address/],
    ['ghcr.io:99999', /a host name or address/],
    ['registry', /a dot or a port/],
  ];
  for (const [host, wanted] of none) {
    it(`is not "${host}", in no place`, () => {
      const problems = problemsOf(`registries: [{host: "${host}"}]\nallowedRegistries: ["${host}"]`);
      assert.equal(problems.length, 2);
      for (const problem of problems) assert.match(problem, wanted);
    });
  }

  it('is written once, whatever its spelling', () => {
    const twice = /1:46 .*a host that no other entry has/;
    assert.match(problemsOf('registries: [{host: docker.io}, {      host: index.docker.io}]').join(), twice);
  });
});

describe('what contradicts itself', () => {
  const rows: [text: string, wanted: RegExp][] = [
    ['registries: [{host: a.example, plainHttp: true, endpoint: "https://b.example"}]', /plainHttp.* false beside/],
    ['credentialSources: [cloud, cloud]', /credentialSources.* each source once/],
  ];
  for (const [text, wanted] of rows) it(`is refused: ${text}`, () => assert.match(problemsOf(text).join(), wanted));

  it('is not a plain endpoint', () => {
    const text = 'registries: [{host: a.example, plainHttp: true, endpoint: "http://10.0.0.1"}]';
    assert.deepEqual(problemsOf(text), []);
  });
});

describe('the settings of the server', () => {
  const messages = (settings: string) => problemsOf(`server: ${settings}`).join('\n');
  const hook = 'name: git, format: github, secretEnv: S';

  it('may name an address and webhooks', () => {
    for (const listen of ['127.0.0.1:8080', '"[::]:8080"', '":80"', 'localhost:0'])
      assert.equal(
        messages(`{listen: ${listen}, webhooks: [{${hook}}, {${hook.replace('git,', 'b,')}, host: "h:5000"}]}`),
        '',
      );
    assert.equal(messages('{listen: "127.0.0.1:1"}'), '');
  });

  const rows: readonly [settings: string, wanted: RegExp][] = [
    ['{}', /listen/],
    ['{listen: 8080}', /listen/],
    ['{listen: "127.0.0.1"}', /host:port/],
    ['{listen: "127.0.0.1:65536"}', /host:port/],
    ['{listen: "http://127.0.0.1:1"}', /host:port/],
    [`{listen: ":1", webhooks: [{${hook}}, {${hook}}]}`, /a name that no other webhook has/],
    [`{listen: ":1", webhooks: [{${hook}, secretFile: f}]}`, /exactly one of secretFile, secretEnv and secret/],
    ['{listen: ":1", webhooks: [{name: a, format: github}]}', /exactly one of secretFile, secretEnv and secret/],
    ['{listen: ":1", webhooks: [{name: a/b, format: github, secretEnv: S}]}', /lower-case letters/],
    ['{listen: ":1", webhooks: [{name: a, format: svn, secretEnv: S}]}', /format/],
  ];
  for (const [settings, wanted] of rows)
    it(`are refused as ${settings}`, () => assert.match(messages(settings), wanted));
});

describe('createCertificateReader', () => {
  it('reads a file again when it has changed, and says which one it cannot read', () => {
    const readPlace = createCertificateReader(noClusterSecrets);
    const read = (file: string | undefined) => readPlace(file === undefined ? undefined : { file });
    const file = join(folder, 'ca.pem');
    const [one, two] = [`${cert}# 1`, `${cert}# 2`];
    writeFileSync(file, one);
    utimesSync(file, 1, 1);
    assert.equal(read(file), one);
    writeFileSync(file, two);
    utimesSync(file, 1, 1);
    assert.equal(read(file), one, 'what looks the same is not read again');
    utimesSync(file, 2, 2);
    assert.equal(read(file), two);
    assert.equal(read(undefined), undefined);
    const missing = { code: 'ConfigInvalid', message: /certificate file .*none\.pem": ENOENT/ };
    assert.throws(() => read(join(folder, 'none.pem')), missing);
  });

  const broken = cert.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA');
  const encrypted = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----\n';
  const rows: [name: string, text: string, content: 'certificate' | 'private key', found: RegExp | undefined][] = [
    ['a certificate', cert, 'certificate', undefined],
    ['two certificates with text between them', `${cert}\nanother:\n${cert}`, 'certificate', undefined],
    ['a key', key, 'private key', undefined],
    ['garbage', 'hunter2', 'certificate', /no certificate in PEM/],
    ['nothing', '', 'certificate', /no certificate in PEM/],
    ['a key for a certificate', key, 'certificate', /no certificate in PEM/],
    ['one bad certificate', `${cert}${broken}`, 'certificate', /certificate 2 of 2 in it cannot be read/],
    ['garbage for a key', 'hunter2', 'private key', /no private key in PEM/],
    ['a certificate for a key', cert, 'private key', /no private key in PEM/],
    ['a key with a passphrase', encrypted, 'private key', /has a passphrase/],
  ];
  for (const [name, text, content, found] of rows) {
    it(`${found ? 'refuses' : 'takes'} ${name}`, () => {
      const file = join(folder, 'some.pem');
      writeFileSync(file, text);
      const read = () => createCertificateReader(noClusterSecrets)({ file }, content);
      if (found === undefined) assert.equal(read(), text);
      else assert.throws(read, { code: 'ConfigInvalid', message: found, place: { file } });
      if (found !== undefined) assert.throws(read, ({ message }) => !/hunter2|[A-Za-z0-9+/]{30}/.test(message));
    });
  }
});

describe('loadConfig', () => {
  it('says which file it cannot read', async () => {
    const result = await loadConfig(join(folder, 'none.yaml'));
    assert.ok('problems' in result);
    assert.match(result.problems[0]?.message ?? '', /none\.yaml": ENOENT/);
  });
});

describe('readSecret', () => {
  it('reads a file anew each time, without its last line break', () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'one\n');
    assert.deepEqual(readSecret({ username: 'u', passwordFile }, placesOf()), { username: 'u', password: 'one' });
    writeFileSync(passwordFile, 'two\r\n');
    assert.equal(readSecret({ username: 'u', passwordFile }, placesOf()).password, 'two');
  });

  it('reads the environment, and says what is missing', () => {
    assert.equal(readSecret({ username: 'u', passwordEnv: 'P' }, placesOf({ P: 'x' })).password, 'x');
    assert.throws(() => readSecret({ username: 'u', passwordEnv: 'P' }, placesOf()), {
      code: 'ConfigInvalid',
      message: /"P" is empty or missing/,
    });
    assert.throws(() => readSecret({ username: 'u', passwordFile: join(folder, 'no') }, placesOf()), {
      code: 'ConfigInvalid',
    });
  });
});
