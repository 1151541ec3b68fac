/** Signatures as `ssh-keygen -Y sign` makes them. Source: OpenSSH's PROTOCOL.sshsig. */
import { createHash, type KeyObject, sign } from 'node:crypto';
import type { SignCommit } from './sign-commit.ts';
import { keyInvalid, keyLocked, type SigningKey } from './signing-key.ts';
import { readSshPrivateKey, wantedSshKey } from './ssh-private-key.ts';

/** What Git signs and verifies under. Source: git's gpg-interface.c. */
const namespace = 'git';
const hashAlgorithm = 'sha512';
/** OpenSSH takes no smaller RSA key. Source: its sshkey.h, SSH_RSA_MINIMUM_MODULUS_SIZE. */
const minRsaBits = 1024;

/** A signer with that key; throws `ConfigInvalid` for what is no usable private key. */
export async function openSshKey(key: SigningKey): Promise<SignCommit> {
  const { default: ssh2 } = await import('ssh2');
  const read = readSshPrivateKey(key.text, key.passphrase, ssh2.utils.parseKey);
  if (read.kind === 'locked') throw keyLocked(key);
  if (read.kind === 'unusable') throw keyInvalid(key.file, read.found, wantedSshKey);
  const signer = createSigner(read.key, key.file);
  return async (payload) => formatSshSignature(signer, payload);
}

interface SshSigner {
  /** The public key as SSH writes it. Source: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4. */
  readonly publicKey: Buffer;
  /** The signature with its algorithm's name. */
  sign(data: Buffer): Buffer;
}

function formatSshSignature({ publicKey, sign }: SshSigner, payload: Buffer): string {
  const digest = createHash(hashAlgorithm).update(payload).digest();
  const signed = sign(
    Buffer.concat([Buffer.from('SSHSIG'), ...[namespace, '', hashAlgorithm, digest].map(formatString)]),
  );
  const version = Buffer.from([0, 0, 0, 1]);
  const fields = [publicKey, namespace, '', hashAlgorithm, signed].map(formatString);
  const lines = Buffer.concat([Buffer.from('SSHSIG'), version, ...fields])
    .toString('base64')
    .replace(/.{70}(?=.)/g, '$&\n');
  return `-----BEGIN SSH SIGNATURE-----\n${lines}\n-----END SSH SIGNATURE-----\n`;
}

function createSigner(key: KeyObject, file: string): SshSigner {
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' });
  if (kty === 'OKP' && crv === 'Ed25519') return createEd25519Signer(key, fromBase64(x));
  const curve = curves[crv ?? ''];
  if (kty === 'EC' && curve !== undefined) {
    const point = Buffer.concat([Buffer.from([4]), fromBase64(x), fromBase64(y)]);
    return createEcdsaSigner(key, { ...curve, point });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (kty === 'RSA' && bits >= minRsaBits)
    return createRsaSigner(key, { modulus: fromBase64(n), exponent: fromBase64(e) });
  const found = kty === 'RSA' ? `the RSA key has ${bits} bits` : `the key is of type "${crv ?? key.asymmetricKeyType}"`;
  throw keyInvalid(file, found, `ed25519, ecdsa on a NIST curve, or rsa of at least ${minRsaBits} bits`);
}

function createEd25519Signer(key: KeyObject, point: Buffer): SshSigner {
  return {
    publicKey: formatStrings(['ssh-ed25519', point]),
    sign: (data) => formatStrings(['ssh-ed25519', sign(null, data, key)]),
  };
}

interface Curve {
  readonly name: string;
  readonly hash: string;
}

/** By the names that JSON Web Keys have for them. The hash goes by the curve's size: RFC 5656 section 6.2.1. */
const curves: Readonly<Record<string, Curve>> = {
  'P-256': { name: 'nistp256', hash: 'sha256' },
  'P-384': { name: 'nistp384', hash: 'sha384' },
  'P-521': { name: 'nistp521', hash: 'sha512' },
};

function createEcdsaSigner(key: KeyObject, { name, hash, point }: Curve & { point: Buffer }): SshSigner {
  const type = `ecdsa-sha2-${name}`;
  return {
    publicKey: formatStrings([type, name, point]),
    sign: (data) => {
      const both = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
      const half = both.length / 2;
      return formatStrings([type, formatStrings([both.subarray(0, half), both.subarray(half)].map(formatInteger))]);
    },
  };
}

function createRsaSigner(key: KeyObject, { modulus, exponent }: { modulus: Buffer; exponent: Buffer }): SshSigner {
  return {
    publicKey: formatStrings(['ssh-rsa', formatInteger(exponent), formatInteger(modulus)]),
    // SSHSIG allows no SHA-1 signatures ("ssh-rsa"); RFC 8332.
    sign: (data) => formatStrings(['rsa-sha2-512', sign('sha512', data, key)]),
  };
}

function fromBase64(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

/** Length in four bytes, then the bytes. Source: RFC 4251 section 5, "string". */
function formatString(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function formatStrings(values: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(values.map(formatString));
}

/** A positive number without leading zeros, but with one where the first bit would be a sign. Source: RFC 4251 section 5, "mpint". */
function formatInteger(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
  return (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
}
