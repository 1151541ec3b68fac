import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { keyTypeOf } from '../../src/git/known-hosts.ts';
import { parseLoginKey, type SshAccess } from '../../src/git/ssh-login-key.ts';
import { makeSshKey, type SshKeyType } from '../services/ssh-server.ts';
import { failureOf } from './remote-scene.ts';
import { type SshScene, withSshScene } from './ssh-scene.ts';
import { signal } from './workshop.ts';

const passphrase = 's3cret phrase';
const read = (file: string): string => readFileSync(file, 'utf8');
const refusal = (scene: SshScene, access: Partial<SshAccess>): Promise<TallymanError> =>
  failureOf(scene.openAs(access).fetch({ signal }));

describe('SSH keys', () => {
  const formats: [type: SshKeyType, pem: boolean][] = [
    ['ed25519', false],
    ['ecdsa', false],
    ['ecdsa', true],
    ['rsa', false],
    ['rsa', true],
  ];

  it('sign in: OpenSSH and PEM, with and without a passphrase', { timeout: 120_000 }, () =>
    withSshScene(async (scene) => {
      for (const [type, pem] of formats)
        for (const locked of [false, true]) {
          const name = `${type}-${pem}-${locked}`;
          const key = makeSshKey(scene.folder, type, { name, pem, ...(locked && { passphrase }) });
          scene.server.authorize(key.publicKey);
          const access = { keyFile: key.file, privateKey: read(key.file), ...(locked && { passphrase }) };
          const { files } = await scene.openAs(access).fetch({ signal });
          assert.equal(files.length, 2, name);
          if (!locked) continue;
          const wrong = await refusal(scene, { ...access, passphrase: 's3cret no' });
          assert.deepEqual(
            [wrong.code, /the passphrase does not open it/.test(wrong.message)],
            ['ConfigInvalid', true],
          );
          const none = await refusal(scene, { ...access, passphrase: undefined });
          assert.match(`${none.code} ${none.message} ${none.remedy}`, /ConfigInvalid .*it is locked.*passphraseFile/);
        }
    }),
  );

  it('sign in: PKCS #8 of every type, locked or not', { timeout: 60_000 }, () =>
    withSshScene(async (scene) => {
      const { default: ssh2 } = await import('ssh2');
      const pairs = [
        generateKeyPairSync('ed25519'),
        generateKeyPairSync('ec', { namedCurve: 'P-384' }),
        generateKeyPairSync('rsa', { modulusLength: 2048 }),
      ];
      for (const { privateKey } of pairs) {
        const open = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
        const locked = String(privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }));
        const blob = parseLoginKey({ ...scene.access, privateKey: open }, ssh2.utils.parseKey).getPublicSSH();
        scene.server.authorize(`${keyTypeOf(blob)} ${blob.toString('base64')}`);
        assert.equal((await scene.openAs({ privateKey: open }).fetch({ signal })).files.length, 2);
        assert.equal((await scene.openAs({ privateKey: locked, passphrase }).fetch({ signal })).files.length, 2);
      }
    }),
  );

  it('are read again for each connection', () =>
    withSshScene(async ({ server, folder, access, open }) => {
      const wrong = makeSshKey(folder, 'ed25519', { name: 'wrong' });
      let privateKey = read(wrong.file);
      const repo = open({ ssh: () => ({ ...access, privateKey }) });
      const failure = await failureOf(repo.fetch({ signal }));
      assert.equal(failure.code, 'RepoDenied');
      assert.match(failure.message, /does not let user ".+" in with the key ssh-ed25519 SHA256:/);
      assert.match(failure.remedy, /public half of keyFile/);
      privateKey = access.privateKey;
      assert.equal((await repo.fetch({ signal })).files.length, 2);
      assert.equal(server.connections, 2);
    }));

  it('that are none are named, without a word of them', () =>
    withSshScene(async (scene) => {
      const rows: [privateKey: string, wanted: RegExp][] = [
        ['', /no private key that can be read/],
        ['s3cret', /no private key that can be read/],
        ['ssh-ed25519 AAAA me', /holds a public key/],
        ['-----BEGIN OPENSSH PRIVATE KEY-----\ns3cret\n-----END OPENSSH PRIVATE KEY-----', /the key is damaged/],
        [scene.access.privateKey.replace(/\n[^\n]+\n-----END/, '\n-----END'), /the key is damaged/],
      ];
      for (const [privateKey, wanted] of rows) {
        const failure = await refusal(scene, { privateKey });
        assert.equal(failure.code, 'ConfigInvalid');
        assert.match(failure.message, wanted);
      }
      assert.equal(scene.server.connections, 0);
    }));
});

describe('SSH servers', () => {
  it('are trusted by known_hosts alone', { timeout: 60_000 }, () =>
    withSshScene(async (scene) => {
      const { server, folder } = scene;
      const [, shown = ''] = /^\S+ \S+ (\S+)/.exec(server.knownHosts) ?? [];
      const name = `[127.0.0.1]:${server.port}`;
      const strange = makeSshKey(folder, 'ed25519', { name: 'strange' }).publicKey;
      const rows: [knownHosts: string, words: RegExp, remedy: RegExp][] = [
        [
          '',
          /known_hosts" has no key for "\[127.*ssh-ed25519 SHA256:/,
          /`ssh-keyscan -t ed25519 -p \d+ 127\.0\.0\.1`.*"\/etc\/tallyman/,
        ],
        [
          `${name} ${strange}`,
          /shows ssh-ed25519 SHA256:.*has ssh-ed25519 SHA256:.*in between/,
          /whether its key has changed/,
        ],
        [`${server.knownHosts}@revoked * ssh-ed25519 ${shown}`, /@revoked/, /Give no access/],
        [`@cert-authority * ssh-ed25519 ${shown}`, /@cert-authority.*not supported/, /ssh-keyscan/],
      ];
      for (const [knownHosts, words, remedy] of rows) {
        const failure = await refusal(scene, { knownHosts });
        assert.equal(failure.code, 'RepoDenied', failure.message);
        assert.match(failure.message, words);
        assert.match(failure.remedy, remedy);
      }
      assert.doesNotMatch(server.log(), /Accepted/);
    }),
  );

  it('with several keys show the one that is known', { timeout: 60_000 }, () =>
    withSshScene(
      async (scene) => {
        for (const line of scene.server.knownHosts.trim().split('\n'))
          assert.equal((await scene.openAs({ knownHosts: line }).fetch({ signal })).files.length, 2, line);
      },
      { hostKeys: ['ed25519', 'ecdsa', 'rsa'] },
    ),
  );

  it('that refuse tell why', { timeout: 60_000 }, () =>
    withSshScene(async (scene) => {
      const { server, folder, bare } = scene;
      const missing = await failureOf(
        scene.open({ location: { kind: 'remote', url: server.url(`${bare}-none`) } }).fetch({ signal }),
      );
      assert.equal(missing.code, 'RepoInvalid', missing.message);
      assert.match(missing.message, /does not appear to be a git repository/);
      const rows: [command: string, code: string, words: RegExp][] = [
        ["printf 'ERROR: Repository not found.\\n' >&2; exit 1", 'RepoDenied', /Repository not found/],
        [
          "printf 'remote: \\nremote: ====\\nremote: ERROR: The project you were looking for could not be found.\\n' >&2; exit 1",
          'RepoDenied',
          /said "ERROR: The project/,
        ],
        [
          "printf '0032ERR access denied \\033[31mto https://u:s3cret@host/' ; exit 1",
          'RepoDenied',
          /said "access denied to https:\/\/host\/"/,
        ],
        ["echo 'This account is currently not available.'; exit 1", 'RepoUnavailable', /This account is/],
        ['exit 0', 'RepoUnavailable', /without a word/],
        ['kill -9 $$', 'RepoUnavailable', /without a word/],
        ['head -c 3000000 /dev/zero >&2; exit 1', 'RepoUnavailable', /said|without a word/],
      ];
      for (const [index, [command, code, words]] of rows.entries()) {
        const key = makeSshKey(folder, 'ed25519', { name: `row${index}` });
        server.authorize(key.publicKey, { command });
        const failure = await refusal(scene, { privateKey: read(key.file) });
        assert.equal(failure.code, code, failure.message);
        assert.match(failure.message, words);
      }
    }),
  );

  it('that are not there, or speak no SSH, are named', { timeout: 60_000 }, async () => {
    await withSshScene(async (scene) => {
      const server = createServer((socket) => void socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
        0,
        '127.0.0.1',
      );
      await new Promise((done) => server.once('listening', done));
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const location = { kind: 'remote', url: `ssh://git@127.0.0.1:${port}/x` } as const;
      assert.equal((await failureOf(scene.open({ location }).fetch({ signal }))).code, 'RepoUnavailable');
      await new Promise((done) => server.close(done));
      const refused = await failureOf(scene.open({ location }).fetch({ signal }));
      assert.deepEqual([refused.code, /refused/.test(refused.message)], ['RepoUnavailable', true], refused.message);
    });
  });
});
