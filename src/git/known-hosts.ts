/** What a known_hosts file says of a server. Source: OpenSSH's "sshd(8)", "SSH_KNOWN_HOSTS FILE FORMAT". */
import { createHash, createHmac } from 'node:crypto';

/** The keys that the file has for one server, as the server would show them. */
export interface KnownKeys {
  readonly trusted: readonly Buffer[];
  readonly revoked: readonly Buffer[];
  /** Whether it also has an authority (`@cert-authority`) for the server; certificates are not supported. */
  readonly hasAuthority: boolean;
}

/** `known`, or why the key is not to be trusted. */
export type HostKeyVerdict = 'known' | 'revoked' | 'changed' | 'unknown' | 'authority';

interface Server {
  readonly host: string;
  readonly port: number;
}

/** The keys for the server; lines that cannot be read are passed over, as OpenSSH does. */
export function findKnownKeys(text: string, server: Server): KnownKeys {
  const name = formatServer(server);
  const found = text
    .split(/\r?\n/)
    .map(parseLine)
    .filter((line) => line !== undefined && matchesHosts(line.hosts, name))
    .filter((line) => line !== undefined);
  const keysOf = (marker: string): Buffer[] => found.filter((line) => line.marker === marker).map((line) => line.key);
  return { trusted: keysOf(''), revoked: keysOf('@revoked'), hasAuthority: keysOf('@cert-authority').length > 0 };
}

/** As the file names a server: its port only where it is not SSH's own. */
export function formatServer({ host, port }: Server): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** Whether the key that the server shows may be trusted. */
export function judgeHostKey({ trusted, revoked, hasAuthority }: KnownKeys, key: Buffer): HostKeyVerdict {
  if (revoked.some((other) => other.equals(key))) return 'revoked';
  if (trusted.some((other) => other.equals(key))) return 'known';
  if (trusted.length > 0) return 'changed';
  return hasAuthority ? 'authority' : 'unknown';
}

/** `ssh-ed25519`: the type is the first field of a key. Empty where there is none. */
export function keyTypeOf(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  return length > 64 || length + 4 > key.length ? '' : key.toString('latin1', 4, 4 + length);
}

/** As `ssh-keygen -l` shows a key: `SHA256:…`. */
export function formatFingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

interface Line {
  /** `@revoked`, `@cert-authority`, another, or empty. */
  readonly marker: string;
  readonly hosts: string;
  readonly key: Buffer;
}

function parseLine(text: string): Line | undefined {
  const fields = text.trim().split(/[ \t]+/);
  const marker = fields[0]?.startsWith('@') ? (fields.shift() ?? '') : '';
  const [hosts = '', type = '', encoded = ''] = fields;
  if (hosts.startsWith('#') || !/^[A-Za-z0-9+/]+=*$/.test(encoded)) return undefined;
  const key = Buffer.from(encoded, 'base64');
  return keyTypeOf(key) === type ? { marker, hosts, key } : undefined;
}

/** A comma between patterns; one with `!` that matches leaves the line out whatever else matches. */
function matchesHosts(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name);
  const patterns = hosts.toLowerCase().split(',');
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matchesPattern(pattern, name));
}

/** `|1|<salt>|<HMAC-SHA1 of the name>` */
function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt = '', hash = ''] = hosts.split('|');
  if (version !== '1') return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'));
}

/** `*` is any text, `?` any one character. Two pointers, so that no pattern is slow. */
function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      resume = index;
    } else if (pattern[at] === '?' || pattern[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
