/** Gitea as a real registry and Git forge for tests; `npm run services` builds it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { formatGiteaConfig } from './gitea-config.ts';
import { findTool, toolFolder } from './go-tools.ts';
import { endProcess, findFreePort, hasEnded } from './server-process.ts';
import { makeSshHostKey } from './ssh-host-key.ts';

/** How a test wants its Gitea. */
export interface GiteaOptions {
  /** What it says its own address is (in challenges, links), given the real one; default: as the client calls it. */
  readonly rootUrl?: (url: string) => string;
  /** Also Git over SSH; default false. */
  readonly ssh?: boolean;
}

/** A running Gitea. */
export interface Gitea {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>`, as written in an image reference. */
  readonly host: string;
  /** Its administrator. */
  readonly user: { readonly username: string; readonly password: string };
  /** An access token of that user that may do everything; taken as a password too. */
  readonly token: string;
  /** Undefined where SSH is not wanted. URLs are `ssh://git@127.0.0.1:<port>/<owner>/<repo>.git`. */
  readonly ssh: { readonly port: number; readonly hostKey: string } | undefined;
  /** A request to `/api/v1<path>` as the administrator, with `body` as JSON; throws unless the answer is a success. */
  api(path: string, init?: { readonly method?: string; readonly body?: unknown }): Promise<Response>;
  /** All that it has logged so far. */
  log(): string;
  /** Ends the process and removes its folder. */
  close(): Promise<void>;
}

const user = { username: 'tally', password: 'correct horse' };
/** How long it may take until it answers: 2 s on an idle machine. */
const startTimeoutMs = 60_000;
/** Another process may take a port that was free a moment ago. */
const maxStarts = 3;

/** Starts Gitea on a free port of 127.0.0.1 with one user; throws where it is missing or does not start. */
export async function startGitea(options: GiteaOptions = {}): Promise<Gitea> {
  const program = findTool('gitea');
  for (let starts = 1; ; starts += 1) {
    const run = await openRun(program, options);
    try {
      await waitUntilUp(run);
      const token = await createUser(run);
      return toGitea(run, token);
    } catch (error) {
      const log = run.log();
      await run.close();
      if (starts >= maxStarts || !log.includes('address already in use')) throw error;
    }
  }
}

/** One started process with its folder. */
interface Run extends Pick<Gitea, 'url' | 'host' | 'ssh' | 'log' | 'close'> {
  readonly program: string;
  readonly folder: string;
  readonly child: ChildProcess;
}

async function openRun(program: string, options: GiteaOptions): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-gitea-'));
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const ssh = options.ssh === true ? { port: await findFreePort(), ...makeSshHostKey(folder) } : undefined;
  const settings = { folder, staticFolder: toolFolder('gitea'), port, rootUrl: options.rootUrl?.(url), ssh };
  await writeFile(join(folder, 'app.ini'), formatGiteaConfig(settings), { mode: 0o600 });
  const child = spawn(program, ['--config', join(folder, 'app.ini'), 'web'], {
    env: makeEnvironment(folder),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // What it says before it knows where its log is.
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-20_000);
  });
  child.on('error', (error) => {
    said += error.message;
  });
  return {
    program,
    folder,
    child,
    ssh: ssh && { port: ssh.port, hostKey: ssh.hostKey },
    url,
    host: `127.0.0.1:${port}`,
    log: () => `${said}${readLog(folder)}`,
    close: async () => {
      await endProcess(child);
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Nothing of this machine's or this user's settings. */
function makeEnvironment(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' };
}

async function waitUntilUp({ child, url, log }: Run): Promise<void> {
  const endMs = Date.now() + startTimeoutMs;
  while (Date.now() < endMs) {
    if (child.pid === undefined || hasEnded(child)) throw new Error(`Cannot start Gitea: it ended at once. ${log()}`);
    const answer = await fetch(`${url}/api/healthz`).catch(() => undefined);
    await answer?.text();
    if (answer?.ok === true && !hasEnded(child)) return;
    await wait(25);
  }
  throw new Error(`Cannot start Gitea: it does not answer after ${startTimeoutMs} ms. ${log()}`);
}

/** The administrator's access token. */
async function createUser({ program, folder }: Run): Promise<string> {
  const account = ['--username', user.username, '--password', user.password, '--email', 'tally@example.com', '--admin'];
  const token = ['--access-token', '--access-token-name', 'tests', '--access-token-scopes', 'all'];
  const args = ['admin', 'user', 'create', ...account, '--must-change-password=false', ...token];
  const { stdout } = await promisify(execFile)(program, ['--config', join(folder, 'app.ini'), ...args], {
    env: makeEnvironment(folder),
  });
  const found = /successfully created\.\.\. ([0-9a-f]{40})/.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`Cannot create Gitea's user: ${stdout}`);
  return found;
}

function toGitea({ url, host, ssh, log, close }: Run, token: string): Gitea {
  return {
    ...{ url, host, ssh, user, token, log, close },
    api: async (path, { method = 'GET', body } = {}) => {
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${await answer.text()}`);
      return answer;
    },
  };
}

function readLog(folder: string): string {
  try {
    return readFileSync(join(folder, 'log', 'gitea.log'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
