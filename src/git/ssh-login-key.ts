/** The private key that signs in to an SSH server: OpenSSH's format or PEM, with or without a passphrase. */
import type { KeyObject } from 'node:crypto';
import type { ParsedKey } from 'ssh2';
import { TallymanError } from '../error/tallyman-error.ts';
import { type ParseKey, readSshPrivateKey, wantedSshKey } from './ssh-private-key.ts';

/** What is read anew for each connection. */
export interface SshAccess {
  /** Names of the files, for messages. */
  readonly keyFile: string;
  readonly knownHostsFile: string;
  readonly privateKey: string;
  readonly passphrase?: string | undefined;
  readonly knownHosts: string;
}

/** The key, ready to sign; throws `ConfigInvalid`, without a word of the key. */
export function parseLoginKey(access: SshAccess, parseKey: ParseKey): ParsedKey {
  const read = readSshPrivateKey(access.privateKey, access.passphrase, parseKey);
  if (read.kind === 'unusable') throw keyFault(access, read.found, wantedSshKey);
  if (read.kind === 'key') {
    const key = toLoginKey(read.key, parseKey);
    if (key === undefined) throw keyFault(access, 'the key is of a type that SSH does not use', wantedSshKey);
    return key;
  }
  if (access.passphrase !== undefined)
    throw keyFault(access, 'the passphrase does not open it', "the key's own passphrase");
  throw keyFault(
    access,
    'it is locked',
    'a passphrase',
    'Give passphraseFile or passphraseEnv beside keyFile in the configuration, or the key `passphrase` in its Secret.',
  );
}

function keyFault({ keyFile }: SshAccess, found: string, wanted: string, remedy?: string): TallymanError {
  return new TallymanError('ConfigInvalid', `Cannot use SSH key "${keyFile}": ${found}, ${wanted} was wanted`, {
    remedy:
      remedy ??
      'Correct `ssh` of the repository under `repos` in the configuration, or the files or the Secret that it names.',
  });
}

/** As ssh2 wants it, which reads fewer kinds of PEM than Node does; undefined for a kind of key that it has not. */
function toLoginKey(key: KeyObject, parseKey: ParseKey): ParsedKey | undefined {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return parse(String(key.export({ type: 'pkcs1', format: 'pem' })), parseKey);
    case 'ec':
      return parse(String(key.export({ type: 'sec1', format: 'pem' })), parseKey);
    case 'ed25519':
      return parse(formatOpenSsh(key), parseKey);
    default:
      return undefined;
  }
}

function parse(text: string, parseKey: ParseKey): ParsedKey | undefined {
  const parsed: ParsedKey | Error | readonly ParsedKey[] = parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return key instanceof Error || !key.isPrivateKey() ? undefined : key;
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
