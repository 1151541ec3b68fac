/** What the end-to-end tests run against: a registry and a Git server that ask who comes, and one folder for everything. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DockerRegistry, startDockerRegistry } from '../services/docker-registry.ts';
import { type FileContent, type GitServer, makeBareRepo, runGit, startGitServer } from '../services/git-server.ts';
import { pushImage } from '../services/push-image.ts';
import { type Finished, type Running, startProgram } from './run-program.ts';

export const author = { name: 'Dock Bot', email: 'dock-bot@example.com' };
export const writer = { name: 'bot', password: 'battery:staple%40 né', canPush: true };
export const reader = { name: 'guest', password: 'only-looking-99', canPush: false };
export const wrongPassword = 'wrong-horse-77';

export interface World {
  readonly folder: string;
  readonly registry: DockerRegistry;
  readonly git: GitServer;
  /** Pushes an image; the digest that the registry has for it. */
  publish(repository: string, tag: string, annotations?: Readonly<Record<string, string>>): Promise<string>;
  /** A bare repository that the Git server serves as `<name>.git`; its path. */
  makeRepo(name: string, files: Readonly<Record<string, FileContent>>): string;
  /** Writes a file of its own under the world's folder; its path. */
  write(name: string, text: string): string;
  /** Writes a configuration (JSON is YAML) with author, state folder, log and the registry's user; its path. */
  configure(name: string, settings: object): string;
  /** As `repos` has it, with the writer's password in a file. */
  remote(name: string, user?: { readonly name: string; readonly password: string }): object;
  /** Starts the program; `finished` rejects where it told a secret. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** The same, to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  /** Ends the servers, and makes sure that all repositories are sound and hold no secret. */
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-e2e-'));
  const root = join(folder, 'served');
  mkdirSync(root);
  const registry = await startDockerRegistry({ htpasswd: true });
  const git = await startGitServer({ root, users: [writer, reader] });
  const credential = registry.credential ?? { username: '', password: '' };
  const secrets = listSecrets([
    credential,
    ...[writer, reader].map(({ name, password }) => ({ username: name, password })),
  ]);
  const repos: string[] = [];
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Running => {
    const running = startProgram(args, { REGISTRY_PASSWORD: credential.password, ...env });
    const finished = running.finished.then((result) => {
      assertNoSecret(result.stdout + result.stderr, secrets);
      return result;
    });
    return { ...running, finished };
  };
  return {
    folder,
    registry,
    git,
    write,
    start,
    publish: (repository, tag, annotations) =>
      pushImage({ url: registry.url, credential, repository, tag, ...(annotations && { annotations }) }),
    makeRepo(name, files) {
      repos.push(makeBareRepo(join(root, `${name}.git`), files));
      return repos.at(-1) ?? '';
    },
    remote(name, user = writer) {
      const passwordFile = write(`${name}-${user.name}-password`, `${user.password}\n`);
      return { url: git.url(`${name}.git`), credentials: { username: user.name, passwordFile } };
    },
    configure(name, settings) {
      const registries = [
        { host: registry.host, credentials: { username: credential.username, passwordEnv: 'REGISTRY_PASSWORD' } },
      ];
      const common = { registries, commit: { author }, stateDir: join(folder, `${name}-state`), intervalSeconds: 1 };
      return write(`${name}.json`, JSON.stringify({ ...common, log: { level: 'debug', format: 'json' }, ...settings }));
    },
    run: (args, env) => start(args, env).finished,
    async close() {
      await git.close();
      await registry.close();
      for (const repo of repos) {
        assert.equal(runGit(repo, ['fsck', '--strict', '--no-dangling']), '');
        assertNoSecret(runGit(repo, ['log', '--all', '--format=raw', '-p']), secrets);
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Each password, as it is and in the forms in which it travels. */
function listSecrets(users: readonly { username: string; password: string }[]): string[] {
  const base64 = (text: string): string => Buffer.from(text).toString('base64').replace(/=+$/, '');
  return [
    ...users,
    { username: 'tally', password: wrongPassword },
    { username: writer.name, password: wrongPassword },
  ].flatMap(({ username, password }) => [password, base64(`${username}:${password}`), encodeURIComponent(password)]);
}

function assertNoSecret(text: string, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `a secret was told: ${text}`);
}

/** The commit that `main` of a repository is at. */
export function tipOf(repo: string): string {
  return runGit(repo, ['rev-parse', 'refs/heads/main']);
}

/** Path -> mode and whole text of each file at a revision. */
export function readTree(repo: string, revision = 'main'): Record<string, { mode: string; text: string }> {
  const lines = runGit(repo, ['-c', 'core.quotePath=false', 'ls-tree', '-r', revision]).split('\n');
  const files = lines.map((line) => {
    const [facts = '', path = ''] = line.split('\t');
    const [mode = '', , oid = ''] = facts.split(' ');
    return { path, mode, oid };
  });
  // For each: `<oid> blob <size>`, a line end, the bytes, a line end.
  let rest = Buffer.from(runGit(repo, ['cat-file', '--batch'], `${files.map(({ oid }) => oid).join('\n')}\n`));
  return Object.fromEntries(
    files.map(({ path, mode }) => {
      const start = rest.indexOf('\n') + 1;
      const size = Number(rest.toString('latin1', 0, start).split(' ')[2]);
      const text = rest.toString('utf8', start, start + size);
      rest = rest.subarray(start + size + 1);
      return [path, { mode, text }];
    }),
  );
}
