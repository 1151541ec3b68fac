/** A real Git server for tests: `git http-backend` behind node:http, and helpers that make repositories. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface GitUser {
  readonly name: string;
  readonly password: string;
  readonly canPush: boolean;
}

/** Called before each request is served; true means that it has taken over the response. */
export type Intercept = (request: IncomingMessage, response: ServerResponse, serve: () => Promise<void>) => boolean;

export interface GitServer {
  /** `http://127.0.0.1:<port>/<repo>`, without user information. */
  url(repo: string): string;
  /** `GET /site.git/info/refs?service=git-upload-pack`, one per request served. */
  readonly requests: string[];
  intercept: Intercept | undefined;
  close(): Promise<void>;
}

/** Nothing of this machine's or this user's Git configuration, and one fixed author. */
const gitEnvironment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_DATE: '1700000000 +0000',
  LC_ALL: 'C',
};

/** Standard output of `git …`, without the last line end; throws with standard error where it fails. */
export function runGit(cwd: string, args: readonly string[], input?: string | Buffer): string {
  const output = execFileSync('git', args, {
    cwd,
    env: gitEnvironment,
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
  return output.toString('utf8').replace(/\n$/, '');
}

/** As `runGit`, without blocking: for what must happen while a server of this process answers. */
export async function runGitAsync(cwd: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, { cwd, env: gitEnvironment });
  return stdout.replace(/\n$/, '');
}

/** A file for `commitFiles`: its text, or its text with another mode than 100644. */
export type FileContent = string | { readonly mode: string; readonly text: string };

/** A bare repository with one commit of these files on `branch`; gives its path. */
export function makeBareRepo(path: string, files: Readonly<Record<string, FileContent>>, branch = 'main'): string {
  mkdirSync(path, { recursive: true });
  runGit(path, ['init', '-q', '--bare', '-b', branch]);
  if (Object.keys(files).length > 0) commitFiles(path, files, { branch });
  return path;
}

interface CommitOptions {
  readonly branch?: string;
  readonly message?: string;
  /** Starts the branch anew, as a forced push does. */
  readonly rewrite?: boolean;
}

/** Commits these files on top of the branch with `git fast-import`; gives the commit's id. */
export function commitFiles(
  repo: string,
  files: Readonly<Record<string, FileContent>>,
  options: CommitOptions = {},
): string {
  const { branch = 'main', message = 'Change files', rewrite = false } = options;
  const ref = `refs/heads/${branch}`;
  const exists = runGit(repo, ['for-each-ref', '--format=x', ref]) !== '';
  const parts: string[] = [];
  if (rewrite) parts.push(`reset ${ref}\n\n`);
  parts.push(`commit ${ref}\ncommitter Ada <ada@example.com> 1700000000 +0000\n${formatData(message)}`);
  if (exists && !rewrite) parts.push(`from ${ref}^0\n`);
  for (const [path, content] of Object.entries(files)) {
    const { mode, text } = typeof content === 'string' ? { mode: '100644', text: content } : content;
    const quoted = `"${path.replace(/["\\]/g, '\\$&')}"`;
    parts.push(mode === '160000' ? `M ${mode} ${text} ${quoted}\n` : `M ${mode} inline ${quoted}\n${formatData(text)}`);
  }
  runGit(repo, ['fast-import', '--quiet', '--force', '--date-format=raw'], `${parts.join('')}\n`);
  return runGit(repo, ['rev-parse', ref]);
}

function formatData(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

/** `count` manifests in folders of 50: `apps/0001/file-01.yaml`. */
export function manyFiles(count: number): Record<string, string> {
  const files: Record<string, string> = {};
  for (let index = 0; index < count; index++) {
    const folder = String(Math.floor(index / 50)).padStart(4, '0');
    const lines = Array.from({ length: 40 }, (_, line) => `  key${line}: value ${index} of ${line}`);
    files[`apps/${folder}/file-${String(index % 50).padStart(2, '0')}.yaml`] =
      `kind: Deployment\nspec:\n${lines.join('\n')}\n  image: ghcr.io/acme/app-${index}:1.0.0\n`;
  }
  return files;
}

/** Serves the bare repositories under `root`; without users, everybody may read and push. */
export async function startGitServer({
  root,
  users = [],
}: {
  root: string;
  users?: readonly GitUser[];
}): Promise<GitServer> {
  const backend = join(execFileSync('git', ['--exec-path']).toString().trim(), 'git-http-backend');
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const serve = (): Promise<void> => serveRequest(request, response, { root, users, backend });
    if (!handle.intercept?.(request, response, serve)) serve().catch((error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const handle: GitServer = {
    url: (repo) => `http://127.0.0.1:${port}/${repo}`,
    requests,
    intercept: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return handle;
}

interface Serving {
  readonly root: string;
  readonly users: readonly GitUser[];
  readonly backend: string;
}

async function serveRequest(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const user = findUser(request, serving.users);
  const pushes = (request.url ?? '').includes('git-receive-pack');
  if (serving.users.length > 0 && user === undefined) {
    request.resume();
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who are you?');
  } else if (pushes && user?.canPush === false) {
    request.resume();
    response.writeHead(403).end('read only');
  } else {
    await runBackend(request, response, {
      root: serving.root,
      backend: serving.backend,
      user: user?.name ?? 'anybody',
    });
  }
}

function findUser(request: IncomingMessage, users: readonly GitUser[]): GitUser | undefined {
  const [scheme, encoded = ''] = (request.headers.authorization ?? '').split(' ');
  const given = scheme === 'Basic' ? Buffer.from(encoded, 'base64').toString('utf8') : '';
  return users.find((user) => given === `${user.name}:${user.password}`);
}

interface Backend {
  readonly root: string;
  readonly backend: string;
  readonly user: string;
}

/** One CGI call. Source: git's "git-http-backend"; RFC 3875. */
function runBackend(
  request: IncomingMessage,
  response: ServerResponse,
  { root, backend, user }: Backend,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const version = request.headers['git-protocol'];
  const child = spawn(backend, {
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      REMOTE_USER: user,
      REMOTE_ADDR: '127.0.0.1',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-length'] && { CONTENT_LENGTH: request.headers['content-length'] }),
      ...(typeof version === 'string' && { GIT_PROTOCOL: version }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  // It waits for the rest of a request that was cut off; told that there is none, it waits on a whole core.
  request.once('close', () => request.complete || child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    child.on('error', reject);
    child.stdout.on('data', (chunk: Buffer) => {
      if (response.headersSent) return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      writeHead(response, head.toString('latin1', 0, end));
      response.write(head.subarray(end + 4));
    });
    child.stdout.on('end', () => response.end(resolve));
  });
}

function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    if (line.startsWith('Status:')) status = Number.parseInt(value, 10);
    else response.setHeader(line.slice(0, colon), value);
  }
  response.writeHead(status);
  response.flushHeaders();
}
