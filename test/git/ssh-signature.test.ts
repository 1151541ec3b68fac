import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { allowSigner, email, makeSshKey, type SshKeyOptions, signerOf } from './signing-scene.ts';
import { withFolder } from './workshop.ts';

const payload = Buffer.from('tree 1\n\nÄnderung\n');
const about = { whenMs: 1_700_000_000_000 };

const kinds: readonly SshKeyOptions[] = [
  { type: 'ed25519' },
  { type: 'ecdsa', bits: 256 },
  { type: 'ecdsa', bits: 384 },
  { type: 'ecdsa', bits: 521 },
  { type: 'rsa', bits: 2048 },
];
const formats = { ed25519: ['RFC4716'], ecdsa: ['RFC4716', 'PEM', 'PKCS8'], rsa: ['RFC4716', 'PEM', 'PKCS8'] } as const;
const rows = kinds.flatMap((kind) =>
  formats[kind.type as keyof typeof formats].flatMap((format) =>
    [undefined, ' pä"ss wörd '].map((passphrase) => ({ ...kind, format, passphrase })),
  ),
);

/** Throws where ssh-keygen finds the signature not good. */
function verify(folder: string, signature: string, how: readonly string[]): void {
  const file = join(folder, 'signature');
  writeFileSync(file, signature);
  execFileSync('ssh-keygen', ['-Y', ...how, '-n', 'git', '-s', file], { input: payload, stdio: 'pipe' });
}

describe('SSH signature', { concurrency: 2 }, () => {
  for (const row of rows) {
    const { type, bits = '', format, passphrase } = row;
    it(`is good with ${type} ${bits} ${format} ${passphrase === undefined ? 'open' : 'locked'}`, () =>
      withFolder(async (folder) => {
        const key = makeSshKey(folder, row);
        const sign = signerOf('ssh', readFileSync(key, 'utf8'), passphrase);
        // ECDSA's numbers have another length now and then.
        for (let count = 0; count < (type === 'ecdsa' ? 8 : 1); count += 1)
          verify(folder, await sign(payload, about), ['verify', '-I', email, '-f', allowSigner(key)]);
      }));
  }

  for (const passphrase of [undefined, 'pass']) {
    it(`is good with ed25519 PKCS8 ${passphrase === undefined ? 'open' : 'locked'}`, () =>
      withFolder(async (folder) => {
        const { privateKey } = generateKeyPairSync('ed25519');
        const locked = passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase };
        const text = privateKey.export({ type: 'pkcs8', format: 'pem', ...locked }).toString();
        verify(folder, await signerOf('ssh', text, passphrase)(payload, about), ['check-novalidate']);
      }));
  }

  it('has the bytes that ssh-keygen gives', () =>
    withFolder(async (folder) => {
      const key = makeSshKey(folder, { type: 'ed25519' });
      const theirs = execFileSync('ssh-keygen', ['-Y', 'sign', '-n', 'git', '-f', key], {
        input: payload,
        stdio: 'pipe',
      });
      assert.equal(await signerOf('ssh', readFileSync(key, 'utf8'))(payload, about), theirs.toString());
    }));

  it('is the same for a key with Windows line ends, text around it, or a passphrase that it does not need', () =>
    withFolder(async (folder) => {
      const text = readFileSync(makeSshKey(folder, { type: 'ed25519' }), 'utf8');
      const signature = await signerOf('ssh', text)(payload, about);
      assert.equal(
        await signerOf('ssh', `# ours\n\n${text}\n`.replaceAll('\n', '\r\n'), 'unused')(payload, about),
        signature,
      );
    }));

  it('is not good for other bytes', () =>
    withFolder(async (folder) => {
      const sign = signerOf('ssh', readFileSync(makeSshKey(folder, { type: 'ed25519' }), 'utf8'));
      const other = await sign(Buffer.from('tree 2\n'), about);
      assert.throws(() => verify(folder, other, ['check-novalidate']));
    }));
});
