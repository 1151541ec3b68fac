import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeSshKey, refusalOf, type SshKeyOptions, signerOf } from './signing-scene.ts';
import { withFolder } from './workshop.ts';

const payload = Buffer.from('x');
const about = { whenMs: 0 };
const kind = 'an SSH private key as ssh-keygen makes it (ed25519, ecdsa or rsa) was wanted';

const refused = (text: string, passphrase?: string) =>
  refusalOf(signerOf('ssh', text, passphrase)(payload, about), [...text.split('\n').slice(1, 3), passphrase ?? '']);
const makeText = (folder: string, options: SshKeyOptions, end = '') =>
  readFileSync(`${makeSshKey(folder, options)}${end}`, 'utf8');

const locked: readonly SshKeyOptions[] = [
  { type: 'ed25519', passphrase: 'correct horse' },
  { type: 'rsa', bits: 2048, format: 'PEM', passphrase: 'correct horse' },
  { type: 'ecdsa', format: 'PKCS8', passphrase: 'correct horse' },
];

describe('SSH private key', () => {
  for (const options of locked) {
    it(`tells a missing passphrase from a wrong one: ${options.type} ${options.format ?? ''}`, () =>
      withFolder(async (folder) => {
        const text = makeText(folder, options);
        assert.equal(
          await refused(text),
          'the key is locked and no passphrase is given, `passphraseFile`, `passphraseEnv` or the key `passphrase` of a Secret was wanted',
        );
        assert.equal(
          await refused(text, 'wrong battery'),
          "the passphrase does not open it, the key's own passphrase was wanted",
        );
      }));
  }

  it('is told from a public one', () =>
    withFolder(async (folder) => {
      const text = makeText(folder, { type: 'rsa', bits: 2048 }, '.pub');
      assert.equal(await refused(text), `it holds a public key, ${kind}`);
    }));

  it('is told from a public one in PEM, from an OpenPGP key, and from nothing', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    assert.equal(await refused(pem), `it holds a public key, ${kind}`);
    const openpgp = '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n-----END PGP PRIVATE KEY BLOCK-----\n';
    assert.equal(await refused(openpgp), `it holds an OpenPGP key, ${kind}`);
    assert.equal(await refused('hunter2'), `it holds no private key that can be read, ${kind}`);
    assert.equal(await refused(''), `it holds no private key that can be read, ${kind}`);
  });

  it('is refused where it is damaged', () =>
    withFolder(async (folder) => {
      const lines = makeText(folder, { type: 'ed25519' }).split('\n');
      for (let cut = 1; cut < lines.length - 2; cut += 1) {
        const found = await refused(lines.toSpliced(cut, 1).join('\n'));
        assert.match(found, /^(?:the key is damaged|the key is of type "|the key is locked)/);
      }
      const { privateKey } = generateKeyPairSync('ed25519');
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      assert.equal(await refused(pem.replace('MC4C', 'MC4D')), `the key is damaged or of an unknown type, ${kind}`);
    }));

  it('is refused where SSH has no signatures with it, or none that OpenSSH takes', async () => {
    const pemOf = ({ privateKey }: ReturnType<typeof generateKeyPairSync>) =>
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const suited = 'ed25519, ecdsa on a NIST curve, or rsa of at least 1024 bits was wanted';
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    assert.equal(await refused(pemOf(curve)), `the key is of type "secp256k1", ${suited}`);
    assert.equal(await refused(pemOf(generateKeyPairSync('ed448'))), `the key is of type "Ed448", ${suited}`);
    const small = generateKeyPairSync('rsa', { modulusLength: 768 });
    assert.equal(await refused(pemOf(small)), `the RSA key has 768 bits, ${suited}`);
  });

  it('is refused where it lies in a security key, whether locked or not', async () => {
    const field = (value: Buffer | string): Buffer => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(Buffer.from(value).length);
      return Buffer.concat([size, Buffer.from(value)]);
    };
    const type = 'sk-ssh-ed25519@openssh.com';
    const makeKey = (cipher: string) => {
      const fields = [cipher, 'none', ''].map(field);
      const bytes = Buffer.concat([
        Buffer.from('openssh-key-v1\0'),
        ...fields,
        Buffer.from([0, 0, 0, 1]),
        field(field(type)),
        field('x'),
      ]);
      return `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
    };
    assert.equal(await refused(makeKey('none')), `the key is of type "${type}", ${kind}`);
    assert.equal(await refused(makeKey('aes256-ctr'), 'x'), `the key is of type "${type}", ${kind}`);
  });
});
