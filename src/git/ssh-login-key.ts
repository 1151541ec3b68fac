/** The private key that signs in to an SSH server: OpenSSH's format or PEM, with or without a passphrase. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { ParsedKey, utils } from 'ssh2';
import { TallymanError } from '../error/tallyman-error.ts';

/** What is read anew for each connection. */
export interface SshAccess {
  /** Names of the files, for messages. */
  readonly keyFile: string;
  readonly knownHostsFile: string;
  readonly privateKey: string;
  readonly passphrase?: string | undefined;
  readonly knownHosts: string;
}

type ParseKey = typeof utils.parseKey;

/** The key, ready to sign; throws `ConfigInvalid`, without a word of the key. */
export function parseLoginKey(access: SshAccess, parseKey: ParseKey): ParsedKey {
  const text = access.privateKey.trim().replace(/\r\n?/g, '\n');
  const isOpenSsh = text.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----');
  const isLocked = isOpenSsh
    ? isLockedOpenSsh(text)
    : /^-----BEGIN [^\n]*ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text);
  if (isLocked && access.passphrase === undefined)
    throw keyFault(
      access,
      'it is locked',
      'a passphrase',
      'Give passphraseFile or passphraseEnv beside keyFile in the configuration.',
    );
  const key = isOpenSsh
    ? parse(text, isLocked ? access.passphrase : undefined, parseKey)
    : parsePem(text, access.passphrase, parseKey);
  if (key !== undefined) return key;
  if (isLocked) throw keyFault(access, 'the passphrase does not open it', "the key's own passphrase");
  if (/^(?:ssh-|ecdsa-)|BEGIN [A-Z0-9 ]*PUBLIC KEY/.test(text))
    throw keyFault(access, 'it holds a public key', 'the private one');
  throw keyFault(access, 'it cannot be read', 'an ed25519, ecdsa or rsa key as `ssh-keygen` makes it');
}

function keyFault({ keyFile }: SshAccess, found: string, wanted: string, remedy?: string): TallymanError {
  return new TallymanError('ConfigInvalid', `Cannot use SSH key "${keyFile}": ${found}, ${wanted} was wanted`, {
    remedy: remedy ?? 'Correct `ssh` of the repository under `repos` in the configuration, or the files that it names.',
  });
}

/** The cipher's name is the first field behind `openssh-key-v1\0`. Source: OpenSSH's PROTOCOL.key. */
function isLockedOpenSsh(text: string): boolean {
  const bytes = Buffer.from(text.split('\n').slice(1, 3).join(''), 'base64');
  return bytes.toString('latin1', 19, 23) !== 'none';
}

function parse(text: string, passphrase: string | undefined, parseKey: ParseKey): ParsedKey | undefined {
  const parsed: ParsedKey | Error | readonly ParsedKey[] = parseKey(text, passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key instanceof Error || !key.isPrivateKey() ? undefined : key;
}

/** Node reads more kinds of PEM than ssh2 does. */
function parsePem(text: string, passphrase: string | undefined, parseKey: ParseKey): ParsedKey | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: 'pem', ...(passphrase !== undefined && { passphrase }) });
  } catch {
    return undefined;
  }
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return parse(String(key.export({ type: 'pkcs1', format: 'pem' })), undefined, parseKey);
    case 'ec':
      return parse(String(key.export({ type: 'sec1', format: 'pem' })), undefined, parseKey);
    case 'ed25519':
      return parse(formatOpenSsh(key), undefined, parseKey);
    default:
      return undefined;
  }
}

/** ssh2 knows Ed25519 keys in this form alone. Source: OpenSSH's PROTOCOL.key; RFC 8709, section 4. */
function formatOpenSsh(key: KeyObject): string {
  const { x = '', d = '' } = key.export({ format: 'jwk' });
  const type = Buffer.from('ssh-ed25519');
  const half = Buffer.from(x, 'base64url');
  const whole = Buffer.concat([Buffer.from(d, 'base64url'), half]);
  const none = Buffer.from('none');
  const secret = Buffer.concat([Buffer.alloc(8), ...[type, half, whole, Buffer.alloc(0)].map(formatField)]);
  // Filled up to whole blocks of 8 bytes with 1, 2, 3, …
  const padding = Buffer.from(Array.from({ length: -secret.length & 7 }, (_, index) => index + 1));
  const bytes = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[none, none, Buffer.alloc(0)].map(formatField),
    Buffer.from([0, 0, 0, 1]),
    formatField(Buffer.concat([type, half].map(formatField))),
    formatField(Buffer.concat([secret, padding])),
  ]);
  const lines = bytes.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----'].join('\n');
}

function formatField(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
