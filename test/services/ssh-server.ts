/** Debian's `openssh-server` for tests: an own `sshd` for the user who runs them, behind a line that can be cut. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { endProcess, findFreePort, hasEnded } from './server-process.ts';

export type SshKeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface SshServerOptions {
  /** Types of its host keys; default Ed25519 alone. */
  readonly hostKeys?: readonly SshKeyType[];
  /** Whether it takes the variable by which clients ask for Git's protocol version 2; default true. */
  readonly takesVersion2?: boolean;
}

export interface SshServer {
  readonly port: number;
  /** Who may sign in: the user who runs the tests. */
  readonly user: string;
  /** As known_hosts has them, without the host: `ssh-ed25519 AAAA…` */
  readonly hostKeys: readonly string[];
  /** Lines for known_hosts. */
  readonly knownHosts: string;
  /** `ssh://<user>@127.0.0.1:<port><path>`, with the path encoded. */
  url(path: string): string;
  /** Lets a public key in; by default to Git's commands alone, by `git-shell`. */
  authorize(publicKey: string, options?: { readonly command?: string }): void;
  /** Connections so far. */
  readonly connections: number;
  /** Cuts all connections. */
  cut(): void;
  /** While set, nothing that the server says gets through. */
  stalled: boolean;
  log(): string;
  close(): Promise<void>;
}

const gitOnly = 'git-shell -c "$SSH_ORIGINAL_COMMAND"';
const startTimeoutMs = 15_000;

/** A new key pair in the folder; `publicKey` as in authorized_keys, `file` that of the private one. */
export function makeSshKey(
  folder: string,
  type: SshKeyType,
  { name = `id_${type}`, passphrase = '', pem = false }: { name?: string; passphrase?: string; pem?: boolean } = {},
): { file: string; publicKey: string } {
  const file = join(folder, name);
  const size = type === 'rsa' ? ['-b', '3072'] : [];
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...size,
    '-N',
    passphrase,
    '-C',
    name,
    '-f',
    file,
    ...(pem ? ['-m', 'PEM'] : []),
  ]);
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8').trim() };
}

/** Starts the server on a free port of 127.0.0.1; throws where the program is missing or does not start. */
export async function startSshServer({
  hostKeys = ['ed25519'],
  takesVersion2 = true,
}: SshServerOptions = {}): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-sshd-'));
  const keys = hostKeys.map((type) => makeSshKey(folder, type, { name: `host_${type}` }));
  const port = await findFreePort();
  const config = join(folder, 'sshd_config');
  const authorizedKeys = join(folder, 'authorized_keys');
  writeFileSync(authorizedKeys, '');
  writeFileSync(config, formatConfig({ port, takesVersion2, authorizedKeys, hostKeys: keys.map(({ file }) => file) }));
  // sshd insists on this folder where root starts it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn(findProgram(), ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-50_000);
  });
  const front = await startFront(port);
  const closeFront = front.close;
  const close = async (): Promise<void> => {
    await closeFront();
    await endProcess(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitUntilListening(child, () => said);
  } catch (error) {
    await close();
    throw error;
  }
  const { username } = userInfo();
  const shown = keys.map(({ publicKey }) => publicKey.split(' ').slice(0, 2).join(' '));
  return Object.assign(front, {
    user: username,
    hostKeys: shown,
    knownHosts: shown.map((key) => `[127.0.0.1]:${front.port} ${key}\n`).join(''),
    url: (path: string) => `ssh://${username}@127.0.0.1:${front.port}${encodeURI(path)}`,
    authorize: (publicKey: string, { command = gitOnly }: { readonly command?: string } = {}) =>
      appendFileSync(authorizedKeys, `command="${command.replaceAll('"', '\\"')}",restrict ${publicKey}\n`),
    log: () => said,
    close,
  });
}

interface Settings {
  readonly port: number;
  readonly takesVersion2: boolean;
  readonly authorizedKeys: string;
  readonly hostKeys: readonly string[];
}

/** Nothing of this machine's settings, and what an own process without root can do. Source: sshd_config(5). */
function formatConfig({ port, takesVersion2, authorizedKeys, hostKeys }: Settings): string {
  const lines = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    ...hostKeys.map((file) => `HostKey ${file}`),
    'PidFile none',
    `AuthorizedKeysFile ${authorizedKeys}`,
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    ...(takesVersion2 ? ['AcceptEnv GIT_PROTOCOL'] : []),
    // bash runs the user's .bashrc for what comes by SSH, unless it is told that it is not the first shell.
    'SetEnv SHLVL=1',
    'LogLevel VERBOSE',
  ];
  return `${lines.join('\n')}\n`;
}

/** sshd wants to be started by its whole path. */
function findProgram(): string {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  const found = folders.map((folder) => join(folder, 'sshd')).find((path) => path.startsWith('/') && existsSync(path));
  if (found === undefined)
    throw new Error('Cannot start sshd: run `npm run services`, or install the Debian package openssh-server.');
  return found;
}

async function waitUntilListening(child: ChildProcess, said: () => string): Promise<void> {
  const endMs = Date.now() + startTimeoutMs;
  while (Date.now() < endMs) {
    if (said().includes('Server listening on')) return;
    if (child.pid === undefined || hasEnded(child)) break;
    await wait(10);
  }
  throw new Error(`Cannot start sshd: it does not listen. ${said()}`);
}

type Front = Pick<SshServer, 'port' | 'connections' | 'cut' | 'stalled'> & { close(): Promise<void> };

/** The line between client and server. */
async function startFront(target: number): Promise<Front> {
  const sockets = new Set<Socket>();
  const handle = { connections: 0, stalled: false };
  const server = createServer((client) => {
    handle.connections += 1;
    const onward = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
    client.pipe(onward);
    onward.on('data', (chunk) => {
      if (!handle.stalled) client.write(chunk);
    });
    onward.on('end', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return Object.assign(handle, {
    port: (server.address() as AddressInfo).port,
    cut,
    close: async () => {
      cut();
      await new Promise((done) => server.close(done));
    },
  });
}
