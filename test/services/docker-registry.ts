/** Debian's `docker-registry` (Distribution 2.8) as a real registry for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endProcess } from './server-process.ts';
import type { TokenServer } from './token-server.ts';

export interface DockerRegistry {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>`, as written in an image reference. */
  readonly host: string;
  /** Who may push and pull; undefined where everybody may. */
  readonly credential: { readonly username: string; readonly password: string } | undefined;
  /** The folder that holds its repositories: `<folder>/<repository>/_manifests/tags/<tag>` */
  readonly repositoriesFolder: string;
  /** Ends the process and removes its folder. */
  close(): Promise<void>;
}

const user = { username: 'tally', password: 'correct horse' };
/** bcrypt (cost 5) of the password above; docker-registry reads the `$2y$` form only. */
const htpasswdLine = 'tally:$2y$05$cvWLin7V1kgVeBedrg8vy./nABrcOwUDf73TRU4t7.s63KbxL6Y..';
/** How long the registry may take until it listens. */
const startTimeoutMs = 15_000;

/** Who may come in; default everybody. */
export interface DockerRegistryOptions {
  /** Its one user. */
  readonly htpasswd?: boolean;
  /** Who has a token of this server. */
  readonly tokenAuth?: TokenServer;
}

/**
 * Starts a registry on a free port of 127.0.0.1 with an empty folder. Throws where the program is missing or does not
 * start.
 */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-docker-registry-'));
  await writeFile(join(folder, 'htpasswd'), `${htpasswdLine}\n`);
  await writeFile(join(folder, 'config.yml'), formatConfig(folder, options));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const close = async (): Promise<void> => {
    await endProcess(child, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const host = await waitUntilListening(child);
    return {
      url: `http://${host}`,
      host,
      credential: options.htpasswd === true ? user : options.tokenAuth?.credential,
      repositoriesFolder: join(folder, 'docker/registry/v2/repositories'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The configuration is JSON, which is YAML too. */
function formatConfig(folder: string, options: DockerRegistryOptions): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'info', formatter: 'json', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: '127.0.0.1:0', secret: 'one process, no uploads to share' },
    ...planAuth(folder, options),
  });
}

function planAuth(folder: string, { htpasswd, tokenAuth }: DockerRegistryOptions): object {
  if (htpasswd === true) return { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } };
  if (tokenAuth === undefined) return {};
  const { realm, service, issuer, certificateFile } = tokenAuth;
  return { auth: { token: { realm, service, issuer, rootcertbundle: certificateFile } } };
}

/** The address it listens on, as it says itself: only the kernel knows the port. */
function waitUntilListening(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`does not listen after ${startTimeoutMs} ms`), startTimeoutMs);
    const fail = (found: string): void => {
      clearTimeout(timer);
      reject(new Error(`Cannot start docker-registry: it ${found}. ${said.join('\n')}`));
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = 'is not installed: run `npm run services`, or install the Debian package docker-registry';
      fail(error.code === 'ENOENT' ? missing : `cannot be run (${error.code})`);
    });
    child.once('exit', (code, signal) => fail(`ended at once (${signal ?? code})`));
    if (child.stderr === null) return fail('has no standard error');
    createInterface({ input: child.stderr }).on('line', (line) => {
      const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (host === undefined) {
        if (said.push(line.slice(0, 500)) > 20) said.shift();
        return;
      }
      clearTimeout(timer);
      resolve(host);
    });
  });
}
