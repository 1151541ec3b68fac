/** Private SSH keys: OpenSSH's own format, and PEM (PKCS #1, SEC 1, PKCS #8), each with or without a passphrase. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { keyInvalid, keyLocked, type SigningKey } from './signing-key.ts';

const wanted = 'an SSH private key as ssh-keygen makes it (ed25519, ecdsa or rsa)';
const openSshTypes = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];
const openSshKey = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/;
const pemKey = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[\s\S]+-----END \1-----/;

/** The key in the text; throws `ConfigInvalid`, which tells a public key, a locked one and a wrong passphrase apart. */
export async function parseSshPrivateKey(key: SigningKey): Promise<KeyObject> {
  const [armored, base64] = openSshKey.exec(key.text) ?? [];
  if (armored !== undefined && base64 !== undefined) return parseOpenSsh(key, armored, Buffer.from(base64, 'base64'));
  const [pem] = pemKey.exec(key.text) ?? [];
  if (pem !== undefined) return parsePem(key, pem);
  throw keyInvalid(key.file, describeOther(key.text), wanted);
}

function describeOther(text: string): string {
  if (/^\s*(?:ssh-|ecdsa-|sk-)\S+ |BEGIN (?:SSH2 |RSA )?PUBLIC KEY/.test(text)) return 'it holds a public key';
  if (/BEGIN PGP /.test(text)) return 'it holds an OpenPGP key';
  return 'it holds no private key that can be read';
}

async function parseOpenSsh(key: SigningKey, armored: string, bytes: Buffer): Promise<KeyObject> {
  const header = readHeader(bytes);
  if (header === undefined) throw keyInvalid(key.file, 'the key is damaged', wanted);
  if (!openSshTypes.includes(header.type))
    throw keyInvalid(key.file, `the key is of type "${header.type.slice(0, 60)}"`, wanted);
  if (header.locked && key.passphrase === undefined) throw keyLocked(key);
  const { default: ssh2 } = await import('ssh2');
  const parsed = ssh2.utils.parseKey(armored.replace(/\r\n?/g, '\n'), header.locked ? key.passphrase : undefined);
  const [first] = Array.isArray(parsed) ? parsed : [parsed];
  if (first === undefined || first instanceof Error)
    throw header.locked ? keyLocked(key) : keyInvalid(key.file, 'the key is damaged', wanted);
  return createPrivateKey(first.getPrivatePEM());
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

function parsePem(key: SigningKey, pem: string): KeyObject {
  const locked = pem.includes('ENCRYPTED');
  if (locked && key.passphrase === undefined) throw keyLocked(key);
  try {
    return createPrivateKey({ key: pem, format: 'pem', passphrase: key.passphrase });
  } catch {
    throw locked ? keyLocked(key) : keyInvalid(key.file, 'the key is damaged or of an unknown type', wanted);
  }
}
