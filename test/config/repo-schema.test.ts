import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';
import { readRepoCredential, readSshAccess } from '../../src/config/read-repo-access.ts';
import { placesOf } from './secret-places.ts';

const folder = mkdtempSync(join(tmpdir(), 'tallyman-repo-'));
after(() => rmSync(folder, { recursive: true }));

const https = 'url: "https://git.example.com/a"';
const ssh = 'url: "git@git.example.com:a"';
const access = 'ssh: {keyFile: k, knownHostsFile: h}';
const parseRepo = (settings: string) => parseConfig(`repos: [{${settings}}]`, 'c.yaml');

describe('the settings of a repository', () => {
  const good = [
    `${ssh}, ${access}`,
    'url: "ssh://git@git.example.com:2222/a", ssh: {keyFile: k, passphraseEnv: P, knownHostsFile: h}',
    `${https}, credentials: {tokenFile: t}`,
    `${https}, credentials: {username: x-token-auth, tokenEnv: T}`,
    `${https}, credentials: {githubApp: {appId: 1, installationId: 2, privateKeyFile: p}}`,
    `${https}, credentials: {githubApp: {appId: Iv1.abc, installationId: "2", privateKeyFile: p, apiUrl: "https://ghe.example.com/api/v3"}}`,
    `${https}, pushOptions: [ci.skip, "merge_request.title=Größe: now"]`,
    `${ssh}, ${access}, pushOptions: []`,
    `${https}, caFile: c, clientCertificate: {certFile: a, keyFile: b}`,
  ];
  for (const settings of good)
    it(`may be ${settings}`, () => {
      const result = parseRepo(settings);
      assert.ok('config' in result, JSON.stringify(result));
    });

  it('name the App of github.com by default', () => {
    const result = parseRepo(good[4] ?? '');
    assert.equal(
      'config' in result && result.config.repos[0]?.credentials?.githubApp?.apiUrl,
      'https://api.github.com',
    );
  });

  const bad: [settings: string, wanted: RegExp][] = [
    [ssh, /`ssh` with keyFile and knownHostsFile/],
    [`${https}, ${access}`, /an SSH address/],
    [`path: ., ${access}`, /an SSH address/],
    [`${ssh}, ssh: {keyFile: k}`, /knownHostsFile/],
    [`${ssh}, ssh: {keyFile: k, knownHostsFile: h, passphraseFile: a, passphraseEnv: b}`, /at most one of/],
    [`${ssh}, ${access}, credentials: {tokenEnv: T}`, /beside `credentials`/],
    [`${ssh}, ${access}, caFile: c`, /beside `caFile`/],
    [`url: "ssh://git:hunter2@git.example.com/a", ${access}`, /without a password/],
    [`url: "ssh://-oProxyCommand=hunter2/a", ${access}`, /a host name/],
    [`url: "git@git.example.com:a\\nhunter2", ${access}`, /control characters/],
    ['path: a, paths: [x]}, {path: a, paths: [y]', /a repository and branch that no other entry has/],
    [
      `${https}, branch: a}, {${https}, branch: b}, {${https}, branch: a`,
      /no other entry has: one may have several `paths`/,
    ],
    ['path: ., pushOptions: [ci.skip]', /a repository on a server/],
    [`${https}, pushOptions: ["a\\nb"]`, /text on one line/],
    [`${https}, pushOptions: ["a\\0b"]`, /text on one line/],
    [`${https}, pushOptions: [""]`, /text on one line/],
    [`${https}, pushOptions: [${'x'.repeat(1001)}]`, /1000/],
    [`${https}, pushOptions: [${'x, '.repeat(21)}]`, /20/],
    [`${https}, credentials: {tokenFile: a, tokenEnv: b}`, /exactly one of passwordFile/],
    [`${https}, credentials: {username: a}`, /exactly one of passwordFile/],
    [`${https}, credentials: {passwordEnv: a}`, /a username beside the password/],
    [
      `${https}, credentials: {username: a, githubApp: {appId: 1, installationId: 2, privateKeyFile: p}}`,
      /no username/,
    ],
    [`${https}, credentials: {githubApp: {appId: 1, privateKeyFile: p}}`, /installationId/],
    [`${https}, credentials: {githubApp: {appId: "a b", installationId: 2, privateKeyFile: p}}`, /appId/],
    [
      `${https}, credentials: {githubApp: {appId: 1, installationId: 2, privateKeyFile: p, apiUrl: "http://ghe.example/"}}`,
      /https:\/\/host\/path/,
    ],
  ];
  for (const [settings, wanted] of bad)
    it(`are refused with ${settings.replaceAll('hunter2', '…').replace(/x{20,}|(?:x, ){20}/, '…')}`, () => {
      const result = parseRepo(settings);
      const text = 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : '';
      assert.match(text, wanted);
      assert.doesNotMatch(text, /hunter2/);
    });
});

describe('several repositories', () => {
  it('may be branches of one', () => {
    assert.ok('config' in parseRepo(`${https}, branch: a}, {${https}, branch: b}, {${https}`));
  });
});

describe('the secrets of a repository', () => {
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  it('are a token under the name that GitHub documents, or a password', () => {
    const tokenFile = write('token', 'one\n');
    assert.deepEqual(readRepoCredential({ tokenFile }, placesOf()), { username: 'x-access-token', password: 'one' });
    write('token', 'two');
    assert.equal(readRepoCredential({ username: 'u', tokenFile }, placesOf()).password, 'two');
    assert.equal(readRepoCredential({ username: 'u', passwordEnv: 'P' }, placesOf({ P: 'x' })).password, 'x');
    assert.throws(() => readRepoCredential({ tokenEnv: 'T' }, placesOf()), {
      code: 'ConfigInvalid',
      message: /"T" is empty/,
    });
  });

  it('are an SSH key, its passphrase and the known servers', () => {
    const settings = { keyFile: write('key', 'k\n'), knownHostsFile: write('hosts', 'h\n'), passphraseEnv: 'P' };
    assert.deepEqual(readSshAccess(settings, placesOf({ P: 'x' })), {
      keyFile: settings.keyFile,
      privateKey: 'k\n',
      passphrase: 'x',
      knownHostsFile: settings.knownHostsFile,
      knownHosts: 'h\n',
    });
    assert.throws(() => readSshAccess(settings, placesOf()), { code: 'ConfigInvalid', message: /the passphrase of/ });
    const missing = { ...settings, knownHostsFile: join(folder, 'none') };
    assert.throws(() => readSshAccess(missing, placesOf({ P: 'x' })), { code: 'ConfigInvalid', remedy: /ssh-keyscan/ });
  });
});
