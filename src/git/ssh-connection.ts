/** One signed-in connection to an SSH server whose host key is known. */
import { connect } from 'node:net';
import type { Client, ClientChannel, PublicKeyAuthMethod, ServerHostKeyAlgorithm } from 'ssh2';
import type { SshAddress } from '../address/ssh-address.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { fromNetwork, quoteServer, repoInvalid, repoUnavailable } from './errors.ts';
import { findKnownKeys, formatFingerprint, type KnownKeys, keyTypeOf } from './known-hosts.ts';
import { judgeServer } from './ssh-host-key.ts';
import { parseLoginKey, type SshAccess } from './ssh-login-key.ts';

export interface SshTarget {
  readonly address: SshAddress;
  readonly shownUrl: string;
  /** Asked for each connection, so that changed files work at once; throws `ConfigInvalid`. */
  readonly access: () => SshAccess;
  /** Longest time until the connection is signed in, in milliseconds. */
  readonly timeoutMs: number;
}

export interface SshConnection {
  /** Starts the command; rejects where the connection is gone, or the server gives no channel. */
  run(command: string, env: Readonly<Record<string, string>>): Promise<ClientChannel>;
  isOpen(): boolean;
  end(): void;
}

/** Those that are safe, as OpenSSH orders them: no RSA with SHA-1, no DSA. */
const hostKeyAlgorithms: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/** Connects and signs in; throws RepoUnavailable, RepoDenied (host key, own key), RepoInvalid or ConfigInvalid. */
export async function openSshConnection(target: SshTarget): Promise<SshConnection> {
  const { address, shownUrl, timeoutMs } = target;
  const { default: ssh2 } = await import('ssh2');
  const access = target.access();
  const key = parseLoginKey(access, ssh2.utils.parseKey);
  const known = findKnownKeys(access.knownHosts, address);
  const login: PublicKeyAuthMethod = { type: 'publickey', username: address.user, key };
  const client = new ssh2.Client();
  // Our own: ssh2 destroys none that it has ended, and the other side may never end it.
  const socket = connect({ host: address.host, port: address.port });
  let fault: TallymanError | undefined;
  let isOpen = false;
  await new Promise<void>((resolve, reject) => {
    const fail = (error?: unknown): void => {
      isOpen = false;
      socket.destroy();
      reject(
        fault ??
          translate(error, {
            shownUrl,
            timeoutMs,
            user: address.user,
            key: `${key.type} ${formatFingerprint(key.getPublicSSH())}`,
          }),
      );
    };
    client.on('error', fail).on('end', fail).on('close', fail);
    client.on('ready', () => {
      isOpen = true;
      client.setNoDelay(true);
      resolve();
    });
    client.connect({
      sock: socket,
      readyTimeout: timeoutMs,
      algorithms: { serverHostKey: orderAlgorithms(known) },
      authHandler: [login],
      // Also set there: ssh2 wants it, whatever the handler says.
      username: address.user,
      hostVerifier: (shown: Buffer): boolean => {
        fault = judgeServer(shown, { known, address, shownUrl, file: access.knownHostsFile });
        return fault === undefined;
      },
    });
  });
  return { run: (command, env) => run(client, command, env), isOpen: () => isOpen, end: () => void socket.destroy() };
}

/** The types that the file has come first: a server with several keys shows the one that is known. */
function orderAlgorithms({ trusted }: KnownKeys): ServerHostKeyAlgorithm[] {
  const types = new Set(trusted.map(keyTypeOf));
  const isKnown = (name: string): boolean => types.has(name.startsWith('rsa-') ? 'ssh-rsa' : name);
  return [...hostKeyAlgorithms.filter(isKnown), ...hostKeyAlgorithms.filter((name) => !isKnown(name))];
}

function run(client: Client, command: string, env: Readonly<Record<string, string>>): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, { env }, (error, channel) => {
      if (error === undefined || error === null) resolve(channel);
      else reject(error);
    });
  });
}

interface Attempt {
  readonly shownUrl: string;
  readonly timeoutMs: number;
  readonly user: string;
  /** Type and fingerprint of our own key. */
  readonly key: string;
}

/** ssh2 tells by `level` where it went wrong; its words are the protocol's, or the server's. */
function translate(error: unknown, { shownUrl, timeoutMs, user, key }: Attempt): TallymanError {
  const level = error instanceof Error && 'level' in error ? error.level : undefined;
  const words = error instanceof Error ? error.message : '';
  const unreachable = (found: string): TallymanError =>
    repoUnavailable(`Cannot reach Yaml repo "${shownUrl}": ${found}, a signed-in SSH connection was wanted`, error);
  if (level === 'client-authentication')
    return new TallymanError(
      'RepoDenied',
      `Cannot reach Yaml repo "${shownUrl}": the server does not let user "${user}" in with the key ${key}, one that it knows was wanted`,
      { remedy: 'Add the public half of keyFile to the server: on a forge, as a deploy key of the repository.' },
    );
  if (level === 'client-socket') return fromNetwork(error, shownUrl);
  if (level === 'client-timeout') return unreachable(`no connection came about within ${timeoutMs} ms`);
  if (/no matching|Unsupported|not supported/i.test(words))
    return repoInvalid(
      `Cannot reach Yaml repo "${shownUrl}": server and client have no SSH algorithms in common ("${quoteServer(words)}")`,
      'Enable current algorithms on the SSH server: curve25519-sha256, aes128-gcm or aes128-ctr, rsa-sha2 or ed25519.',
    );
  return unreachable(words === '' ? 'the connection was cut' : `the SSH server said or did "${quoteServer(words)}"`);
}
