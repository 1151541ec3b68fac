import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { email, type Gpg, refusalOf, signerOf, withGpgHome } from './signing-scene.ts';

const payload = Buffer.from('tree 1\n\nÄnderung\n');
const user = `Tallyman <${email}>`;
const madeSeconds = 1_600_000_000;
const about = { whenMs: 1_700_000_123_456 };
const daySeconds = 86_400;

const makeKey = (
  gpg: Gpg,
  options: { algorithm?: string; usage?: string; expire?: string; passphrase?: string } = {},
) => {
  const { algorithm = 'ed25519', usage = 'sign', expire = 'never', passphrase = '' } = options;
  gpg.run(['--quick-gen-key', user, algorithm, usage, expire], { passphrase, nowSeconds: madeSeconds });
  return gpg.fingerprint();
};
const addSubkey = (
  gpg: Gpg,
  fingerprint: string,
  options: { usage?: string; expire?: string; afterDays?: number } = {},
) => {
  const { usage = 'sign', expire = 'never', afterDays = 0 } = options;
  const algorithm = usage === 'encr' ? 'cv25519' : 'ed25519';
  gpg.run(['--quick-add-key', fingerprint, algorithm, usage, expire], {
    nowSeconds: madeSeconds + afterDays * daySeconds,
  });
};
const exportKey = (gpg: Gpg, passphrase = '') => gpg.run(['--armor', '--export-secret-keys'], { passphrase });

/** What gpg says of the signature, in its own status lines; throws where it is not good. */
function verify(gpg: Gpg, signature: string, signed = payload): string {
  const file = join(gpg.home, 'signature.asc');
  writeFileSync(file, signature);
  // Verified at the time of the commit: a key may have expired since.
  const nowSeconds = Math.floor(about.whenMs / 1000);
  return gpg.run(['--status-fd', '1', '--verify', file, '-'], { input: signed.toString('utf8'), nowSeconds });
}

const refused = (text: string, passphrase?: string, whenMs = about.whenMs) =>
  refusalOf(signerOf('openpgp', text, passphrase)(payload, { whenMs }), [
    ...text.split('\n').slice(1, 4),
    passphrase ?? '',
  ]);
const kind = 'one armored OpenPGP private key (gpg --armor --export-secret-keys) was wanted';

describe('OpenPGP signature', { concurrency: 2 }, () => {
  const kinds = [
    { algorithm: 'ed25519' },
    { algorithm: 'rsa2048' },
    { algorithm: 'nistp256' },
    { algorithm: 'ed25519', passphrase: ' pä"ss wörd ' },
    { algorithm: 'rsa2048', passphrase: 'pass' },
  ];
  for (const { algorithm, passphrase } of kinds) {
    it(`is good with ${algorithm} ${passphrase === undefined ? 'open' : 'locked'}, at the commit's time`, () =>
      withGpgHome(async (gpg) => {
        const fingerprint = makeKey(gpg, { algorithm, ...(passphrase !== undefined && { passphrase }) });
        const signature = await signerOf('openpgp', exportKey(gpg, passphrase), passphrase)(payload, about);
        assert.match(signature, /^-----BEGIN PGP SIGNATURE-----\n\n[^\r]*\n-----END PGP SIGNATURE-----\n$/);
        assert.match(verify(gpg, signature), new RegExp(`VALIDSIG ${fingerprint} 2023-11-14 1700000123 `));
        assert.throws(() => verify(gpg, signature, Buffer.from('tree 2\n')));
      }));
  }

  it('is by the newest subkey that may sign, also where the main key only certifies or is not in the file', () =>
    withGpgHome(async (gpg) => {
      const main = makeKey(gpg, { usage: 'cert' });
      addSubkey(gpg, main, { afterDays: 1 });
      addSubkey(gpg, main, { afterDays: 2 });
      addSubkey(gpg, main, { usage: 'encr', afterDays: 3 });
      const listed = gpg.run(['--list-keys', '--with-colons']);
      const [, , newest = '', encrypting = ''] = [...listed.matchAll(/^fpr:+([0-9A-F]{40}):/gm)].map(
        (match) => match[1],
      );
      assert.notEqual(newest, encrypting);
      const subkeys = gpg.run(['--armor', '--export-secret-subkeys']);
      for (const text of [exportKey(gpg), subkeys]) {
        const said = verify(gpg, await signerOf('openpgp', text)(payload, about));
        assert.match(said, new RegExp(`VALIDSIG ${newest} .* ${main}$`, 'm'));
      }
    }));

  it('is by a subkey that is still valid, or by the main key; a revoked subkey never signs', () =>
    withGpgHome(async (gpg) => {
      const main = makeKey(gpg);
      addSubkey(gpg, main, { expire: '20210101T000000' });
      assert.match(
        verify(gpg, await signerOf('openpgp', exportKey(gpg))(payload, about)),
        new RegExp(`VALIDSIG ${main} `),
      );
      addSubkey(gpg, main, { afterDays: 1 });
      const [, , revoked = ''] = [...gpg.run(['--list-keys', '--with-colons']).matchAll(/^fpr:+([0-9A-F]{40}):/gm)].map(
        (match) => match[1],
      );
      assert.match(
        verify(gpg, await signerOf('openpgp', exportKey(gpg))(payload, about)),
        new RegExp(`VALIDSIG ${revoked} `),
      );
      gpg.run(['--command-fd', '0', '--no-batch', '--edit-key', main], { input: 'key 2\nrevkey\ny\n0\n\ny\nsave\n' });
      assert.match(
        verify(gpg, await signerOf('openpgp', exportKey(gpg))(payload, { whenMs: Date.now() })),
        new RegExp(`VALIDSIG ${main} `),
      );
    }));
});

describe('OpenPGP key', { concurrency: 2 }, () => {
  it('is refused where it has expired, and taken before', () =>
    withGpgHome(async (gpg) => {
      makeKey(gpg, { expire: '20240101T000000' });
      const text = exportKey(gpg);
      await signerOf('openpgp', text)(payload, about);
      const found = await refused(text, undefined, Date.UTC(2024, 0, 2));
      assert.match(found, /^the key expired at 2024-01-01T00:00:00.000Z, a key that is valid now was wanted$/);
    }));

  it('is refused before it was made', () =>
    withGpgHome(async (gpg) => {
      makeKey(gpg);
      const found = await refused(exportKey(gpg), undefined, Date.UTC(2019, 0, 1));
      assert.equal(found, 'the key is valid from 2020-09-13T12:26:40.000Z, a key that is valid now was wanted');
    }));

  it('is refused where it was revoked', () =>
    withGpgHome(async (gpg) => {
      makeKey(gpg);
      const fingerprint = gpg.fingerprint();
      gpg.run(['--command-fd', '0', '--no-batch', '--output', join(gpg.home, 'rev'), '--gen-revoke', fingerprint], {
        input: 'y\n1\n\ny\n',
      });
      gpg.run(['--import', join(gpg.home, 'rev')]);
      assert.equal(
        await refused(exportKey(gpg), undefined, Date.now()),
        'the key is revoked, a key that is valid now was wanted',
      );
    }));

  it('is refused where none of its keys can sign', () =>
    withGpgHome(async (gpg) => {
      const main = makeKey(gpg, { usage: 'cert' });
      addSubkey(gpg, main, { expire: '20210101T000000' });
      addSubkey(gpg, main, { usage: 'encr' });
      const found = 'none of its keys can sign: each is expired, revoked, for another use, or without its secret part';
      assert.equal(await refused(exportKey(gpg)), `${found}, a key with a valid signing key was wanted`);
    }));

  it('tells a missing passphrase from a wrong one', () =>
    withGpgHome(async (gpg) => {
      makeKey(gpg, { passphrase: 'correct horse' });
      const text = exportKey(gpg, 'correct horse');
      assert.equal(
        await refused(text),
        'the key is locked and no passphrase is given, `passphraseFile`, `passphraseEnv` or the key `passphrase` of a Secret was wanted',
      );
      assert.equal(
        await refused(text, 'wrong battery'),
        "the passphrase does not open it, the key's own passphrase was wanted",
      );
    }));

  it('is told from a public key, an SSH key, several keys, a damaged one and nothing', () =>
    withGpgHome(async (gpg) => {
      makeKey(gpg);
      const text = exportKey(gpg);
      assert.equal(await refused(gpg.run(['--armor', '--export'])), `it holds a public key, ${kind}`);
      assert.equal(await refused('-----BEGIN OPENSSH PRIVATE KEY-----\n'), `it holds an SSH or PEM key, ${kind}`);
      assert.equal(await refused(''), `it holds no armored key, ${kind}`);
      const lines = text.split('\n');
      assert.equal(await refused(lines.toSpliced(4, 1).join('\n')), `the key is damaged, ${kind}`);
      gpg.run(['--quick-gen-key', 'Other <other@example.com>', 'ed25519', 'sign', 'never']);
      assert.equal(await refused(exportKey(gpg)), `it holds 2 keys, ${kind}`);
      await signerOf('openpgp', text, 'not needed')(payload, about);
    }));
});
