/** Private SSH keys: OpenSSH's own format, and PEM (PKCS #1, SEC 1, PKCS #8), each with or without a passphrase. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { utils } from 'ssh2';

/** ssh2's reader of OpenSSH's format; handed over, so that ssh2 is loaded only where it is needed. */
export type ParseKey = typeof utils.parseKey;

/** `locked`: there is no passphrase, or it does not open the key. */
export type SshKeyReading =
  | { readonly kind: 'key'; readonly key: KeyObject }
  | { readonly kind: 'locked' }
  | { readonly kind: 'unusable'; readonly found: string };

/** What a text has to be, for messages. */
export const wantedSshKey = 'an SSH private key as ssh-keygen makes it (ed25519, ecdsa or rsa)';
const openSshTypes = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];
const openSshKey = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/;
const pemKey = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[\s\S]+-----END \1-----/;

/** The key in the text, or what is wrong with it, without a word of the key. */
export function readSshPrivateKey(text: string, passphrase: string | undefined, parseKey: ParseKey): SshKeyReading {
  const [armored, base64] = openSshKey.exec(text) ?? [];
  if (armored !== undefined && base64 !== undefined)
    return readOpenSsh({ armored, bytes: Buffer.from(base64, 'base64') }, passphrase, parseKey);
  const [pem] = pemKey.exec(text) ?? [];
  return pem === undefined ? { kind: 'unusable', found: describeOther(text) } : readPem(pem, passphrase);
}

function describeOther(text: string): string {
  if (/^\s*(?:ssh-|ecdsa-|sk-)\S+ |BEGIN (?:SSH2 |RSA )?PUBLIC KEY/.test(text)) return 'it holds a public key';
  if (/BEGIN PGP /.test(text)) return 'it holds an OpenPGP key';
  return 'it holds no private key that can be read';
}

function readOpenSsh(
  { armored, bytes }: { armored: string; bytes: Buffer },
  passphrase: string | undefined,
  parseKey: ParseKey,
): SshKeyReading {
  const header = readHeader(bytes);
  if (header === undefined) return { kind: 'unusable', found: 'the key is damaged' };
  if (!openSshTypes.includes(header.type))
    return { kind: 'unusable', found: `the key is of type "${header.type.slice(0, 60)}"` };
  if (header.locked && passphrase === undefined) return { kind: 'locked' };
  const parsed = parseKey(armored.replace(/\r\n?/g, '\n'), header.locked ? passphrase : undefined);
  const [first] = Array.isArray(parsed) ? parsed : [parsed];
  if (first !== undefined && !(first instanceof Error))
    return { kind: 'key', key: createPrivateKey(first.getPrivatePEM()) };
  return header.locked ? { kind: 'locked' } : { kind: 'unusable', found: 'the key is damaged' };
}

/**
 * What stands in the open before the private part: `openssh-key-v1\0`, cipher, KDF, its options, count, public key.
 * Source: OpenSSH's PROTOCOL.key.
 */
function readHeader(bytes: Buffer): { locked: boolean; type: string } | undefined {
  let at = 15;
  const readField = (): Buffer => {
    const size = at + 4 <= bytes.length ? bytes.readUInt32BE(at) : 0;
    const field = bytes.subarray(at + 4, at + 4 + size);
    at += 4 + size;
    return field;
  };
  const [cipher] = [readField(), readField(), readField()];
  at += 4;
  const publicKey = readField();
  if (publicKey.length < 4) return undefined;
  return {
    locked: cipher?.toString('latin1') !== 'none',
    type: publicKey.toString('latin1', 4, 4 + publicKey.readUInt32BE(0)).replace(/[^\x20-\x7e]/g, '?'),
  };
}

function readPem(pem: string, passphrase: string | undefined): SshKeyReading {
  const locked = pem.includes('ENCRYPTED');
  if (locked && passphrase === undefined) return { kind: 'locked' };
  try {
    return { kind: 'key', key: createPrivateKey({ key: pem, format: 'pem', ...(locked && { passphrase }) }) };
  } catch {
    return locked ? { kind: 'locked' } : { kind: 'unusable', found: 'the key is damaged or of an unknown type' };
  }
}
