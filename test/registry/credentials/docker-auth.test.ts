import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import { parseImageReference } from '../../../src/image/reference.ts';
import type { Credential } from '../../../src/registry/credentials/credential.ts';
import { findAuth, parseDockerAuth } from '../../../src/registry/credentials/docker-auth.ts';
import { normalizeKey } from '../../../src/registry/credentials/lookup-keys.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const entry = (username: string, password = 'hunter2'): object => ({ auth: base64(`${username}:${password}`) });
const find = (content: unknown, image: string, options: { legacy?: boolean } = {}): Credential | undefined => {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return findAuth(parseDockerAuth(Buffer.from(text), { origin: 'the text', ...options }), parseImageReference(image));
};

describe('normalizeKey', () => {
  const rows: [key: string, normal: string][] = [
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.io', 'ghcr.io'],
    ['ghcr.io/', 'ghcr.io'],
    ['ghcr.io///', 'ghcr.io'],
    ['https://ghcr.io', 'ghcr.io'],
    ['HTTPS://ghcr.io/', 'ghcr.io'],
    ['http://localhost:5000/v2/', 'localhost:5000'],
    ['ghcr.io/v1/', 'ghcr.io'],
    ['ghcr.io/v2', 'ghcr.io'],
    ['ghcr.io/acme/Web', 'ghcr.io/acme/Web'],
    ['https://ghcr.io/v2/acme/web/', 'ghcr.io/acme/web'],
    ['https://ghcr.io/v2acme', 'ghcr.io/v2acme'],
    ['ghcr.io/v2/acme', 'ghcr.io/v2/acme'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['docker.io/acme', 'docker.io/acme'],
    ['https://index.docker.io/v1/access-token', 'docker.io/access-token'],
    ['', ''],
    ['[::1]:5000', '[::1]:5000'],
  ];
  for (const [key, normal] of rows) it(JSON.stringify(key), () => assert.equal(normalizeKey(key), normal));
});

describe('the entry that counts', () => {
  const paths = { 'ghcr.io': entry('host'), 'ghcr.io/acme': entry('acme'), 'ghcr.io/acme/web': entry('web') };
  const rows: [name: string, auths: object, image: string, username: string | undefined][] = [
    ['the whole repository', paths, 'ghcr.io/acme/web', 'web'],
    ['a shorter path', paths, 'ghcr.io/acme/other/deep', 'acme'],
    ['the host', paths, 'ghcr.io/acmeother', 'host'],
    ['another host', paths, 'quay.io/acme/web', undefined],
    ['a host that only ends alike', paths, 'evil-ghcr.io/acme/web', undefined],
    ['a host whose name goes on', paths, 'ghcr.io.evil.com/acme/web', undefined],
    ['a port, which is a part of the host', { 'ghcr.io:5000': entry('port') }, 'ghcr.io/acme/web', undefined],
    ['the port that https has anyway', { 'ghcr.io:443': entry('port') }, 'ghcr.io/acme/web', 'port'],
    ['a path does not count for its host', { 'ghcr.io/acme': entry('acme') }, 'ghcr.io/web', undefined],
    ["Docker Hub by Docker's key", { 'https://index.docker.io/v1/': entry('hub') }, 'nginx', 'hub'],
    ['Docker Hub by its short name', { 'docker.io': entry('hub') }, 'acme/web', 'hub'],
    ['Docker Hub by its other name', { 'index.docker.io': entry('hub') }, 'acme/web', 'hub'],
    ['Docker Hub by the name of its API', { 'registry-1.docker.io': entry('hub') }, 'acme/web', 'hub'],
    ['an official image', { 'docker.io/library': entry('official'), 'docker.io': entry('hub') }, 'nginx', 'official'],
    [
      'the first of two keys that mean the same',
      { 'https://a.io': entry('one'), 'a.io': entry('two') },
      'a.io/x',
      'one',
    ],
    ['an empty entry counts for nothing', { 'a.io/x': {}, 'https://a.io': {}, 'a.io': entry('two') }, 'a.io/x', 'two'],
    ['nor does one with an e-mail address alone', { 'a.io': { auth: '', email: 'a@b.c' } }, 'a.io/x', undefined],
    ['nor null', { 'a.io': null }, 'a.io/x', undefined],
    ['a bad entry of another host is nobody’s fault', { 'b.io': 5, 'a.io': entry('one') }, 'a.io/x', 'one'],
  ];
  for (const [name, auths, image, username] of rows)
    it(name, () =>
      assert.deepEqual(find({ auths }, image), username === undefined ? undefined : { username, password: 'hunter2' }),
    );
});

describe('what an entry says', () => {
  const rows: [name: string, entry: object, credential: Credential][] = [
    ['user and password in auth', entry('u', 'p'), { username: 'u', password: 'p' }],
    ['a password with colons', entry('u', 'p:q:'), { username: 'u', password: 'p:q:' }],
    ['NULs behind a password', entry('u', 'p\0\0'), { username: 'u', password: 'p' }],
    ['an empty password', entry('u', ''), { username: 'u', password: '' }],
    ['a password beyond ASCII', entry('ü', 'né€'), { username: 'ü', password: 'né€' }],
    ['base64 without its padding', { auth: 'dTpw' + 'cA' }, { username: 'u', password: 'pp' }],
    ['base64 with line breaks', { auth: 'dTpw\r\ncA==\n' }, { username: 'u', password: 'pp' }],
    ['a robot', entry('robot$acme+web', 'p'), { username: 'robot$acme+web', password: 'p' }],
    ['user and password apart', { username: 'u', password: 'p' }, { username: 'u', password: 'p' }],
    [
      'auth before user and password',
      { ...entry('a', 'b'), username: 'u', password: 'p' },
      { username: 'a', password: 'b' },
    ],
    ['empty auth beside them', { auth: '', username: 'u', password: 'p' }, { username: 'u', password: 'p' }],
    ['an identity token', { identitytoken: 'idt' }, { username: undefined, identityToken: 'idt' }],
    [
      'an identity token with its user',
      { ...entry('u', ''), identitytoken: 'idt' },
      { username: 'u', identityToken: 'idt' },
    ],
    [
      'a registry token, before all',
      { ...entry('u'), identitytoken: 'idt', registrytoken: 'rt' },
      { bearerToken: 'rt' },
    ],
    ['members that are null', { ...entry('u', 'p'), identitytoken: null }, { username: 'u', password: 'p' }],
    [
      'members that nobody knows',
      { ...entry('u', 'p'), email: 5, serveraddress: [] },
      { username: 'u', password: 'p' },
    ],
  ];
  for (const [name, said, credential] of rows)
    it(name, () => assert.deepEqual(find({ auths: { 'a.io': said } }, 'a.io/x'), credential));

  const faults: [name: string, entry: unknown, found: RegExp][] = [
    ['a text', 'hunter2', /no JSON object/],
    ['a list', [entry('hunter2')], /no JSON object/],
    ['auth that is no text', { auth: { hunter2: 1 } }, /"auth" is no text/],
    ['auth that is no base64', { auth: 'hunter2:hunter2' }, /"auth" is no base64/],
    ['auth that is not all base64', { auth: `${base64('u:hunter2')}!` }, /"auth" is no base64/],
    ['auth without a colon', { auth: base64('hunter2') }, /"auth" holds no user/],
    ['auth without a user', { auth: base64(':hunter2') }, /"auth" holds no user/],
    [
      'auth that is no UTF-8',
      { auth: Buffer.from([0x75, 0x3a, 0xff, 0xfe]).toString('base64') },
      /"auth" holds no user/,
    ],
    ['a password alone', { password: 'hunter2' }, /without "username"/],
    ['a password that is no text', { username: 'u', password: 5 }, /"password" is no text/],
    ['half a character', { username: 'u', password: 'hunter2\ud800' }, /half a character/],
    ['an identity token with a line break', { identitytoken: 'hunter2\r\nX: y' }, /"identitytoken" has characters/],
    ['a registry token with a blank', { registrytoken: 'hunter2 x' }, /"registrytoken" has characters/],
  ];
  for (const [name, said, found] of faults)
    it(`is refused: ${name}`, () => assertRefused(() => find({ auths: { 'a.io': said } }, 'a.io/x'), found));

  it('is named by what was looked for, not by a key with a password', () =>
    assertRefused(
      () => find({ auths: { 'https://a.io/': 5, 'https://u:hunter2@a.io': 5 } }, 'a.io/x'),
      /entry for "a\.io"/,
    ));
});

describe('a text that is no configuration', () => {
  const rows: [name: string, text: string | Uint8Array][] = [
    ['empty', ''],
    ['no JSON', '{"auths": {"a.io": {"auth": "hunter2"'],
    ['a list', '["hunter2"]'],
    ['a text', '"hunter2"'],
    ['null', 'null'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['auths that is a text', '{"auths": "hunter2"}'],
    ['credHelpers that is a list', '{"credHelpers": ["hunter2"]}'],
    ['deeper than any', '['.repeat(1_000_000)],
    ['deep below auths', `{"auths":{"a.io":${'{"a":'.repeat(150_000)}`],
    ['larger than a megabyte', `{"auths":{},"a":"${'a'.repeat(1024 * 1024)}"}`],
  ];
  for (const [name, text] of rows)
    it(name, () =>
      assertRefused(() => parseDockerAuth(Buffer.from(text), { origin: 'the text' }), /Cannot read the text: /),
    );
});

describe('hostile content', () => {
  it('a million entries are refused by their size', () => {
    const text = `{"auths":{${Array.from({ length: 1_000_000 }, (_, index) => `"h${index}":{}`).join(',')}}}`;
    assertRefused(() => find(text, 'a.io/x'), /larger than 1024 KiB/);
  });

  it('as many as there may be take no time', () => {
    const auths = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`h${index}.io`, { auth: 'a' }]));
    const start = performance.now();
    assert.equal(find({ auths }, 'a.io/x'), undefined);
    assert.ok(performance.now() - start < 2000);
  });

  it('nor does a key of slashes alone', () => {
    const start = performance.now();
    assert.equal(find({ auths: { [`a.io${'/'.repeat(1_000_000)}x`]: entry('u') } }, 'a.io/x'), undefined);
    assert.ok(performance.now() - start < 2000);
  });

  it('names of prototypes are names like any other', () => {
    const text =
      '{"__proto__":{"auths":{"a.io":{"auth":"dTpw"}}},"auths":{"__proto__":{"auth":"dTpw"},"constructor":5}}';
    assert.equal(find(text, 'a.io/x'), undefined);
    assert.equal(find('{"auths":{"a.io":{"__proto__":{"auth":"dTpw"}}}}', 'a.io/x'), undefined);
    assert.equal(find('{"__proto__":{"credHelpers":{"a.io":"x"}}}', 'a.io/x'), undefined);
    assert.equal(({} as { auth?: string }).auth, undefined);
  });

  it('a deep value beside a good one is passed over', () =>
    assert.deepEqual(
      find(`{"x":${'['.repeat(90_000)}${']'.repeat(90_000)},"auths":{"a.io":{"auth":"dTpw"}}}`, 'a.io/x'),
      {
        username: 'u',
        password: 'p',
      },
    ));

  it('a byte order mark is passed over', () =>
    assert.deepEqual(find('\ufeff{"auths":{"a.io":{"auth":"dTpw"}}}', 'a.io/x'), { username: 'u', password: 'p' }));
});

describe('the old format', () => {
  it('is read where it is asked for', () =>
    assert.deepEqual(find({ 'https://a.io/v1/': entry('u', 'p') }, 'a.io/x', { legacy: true }), {
      username: 'u',
      password: 'p',
    }));
  it('and nowhere else', () => assert.equal(find({ 'a.io': entry('u', 'p') }, 'a.io/x'), undefined));
  it('is told from the new one', () =>
    assert.deepEqual(find({ auths: { 'a.io': entry('u', 'p') } }, 'a.io/x', { legacy: true }), {
      username: 'u',
      password: 'p',
    }));
});

function assertRefused(action: () => unknown, found: RegExp): void {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof TallymanError);
    assert.equal(error.code, 'ConfigInvalid');
    assert.match(error.message, found);
    assert.match(error.message, / wanted$/);
    assert.doesNotMatch(error.message + error.remedy + String(error.cause), /hunter2/);
    return true;
  });
}
