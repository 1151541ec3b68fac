/** What faults are done to: registry, Git server, perhaps Redis, a Yaml repo, worker processes, and people. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { formatDeployment, formatPolicy } from '../e2e/manifests.ts';
import { type GitServer, makeBareRepo, runGitAsync, startGitServer } from '../services/git-server.ts';
import { startRedis, type TestRedis } from '../services/redis.ts';
import { type RegistryServer, type RegistryServerOptions, startRegistryServer } from '../services/registry-server.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface SceneOptions {
  readonly appCount: number;
  readonly workers: number;
  readonly redis: boolean;
  /** Whether clocks are to be trusted: then a version comes to its age meanwhile. Default true. */
  readonly ages?: boolean;
  /** Whether each worker's state folder is a small disk of its own, which takes root. Default false. */
  readonly smallDisk?: boolean;
  /** For each worker process. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Answers in place of the registry, or leaves the client waiting, and then says true. */
export type RegistryFault = NonNullable<RegistryServerOptions['intercept']>;

export interface Scene {
  readonly registry: RegistryServer;
  readonly git: GitServer;
  readonly redis: TestRedis | undefined;
  readonly bare: string;
  readonly workers: readonly WorkerProcess[];
  /** Undefined: the registry is well. */
  registryFault: RegistryFault | undefined;
  /** Publishes so many versions, one app after the other, with forbidden tags in between, and people's commits. */
  publish(count: number, pauseMs: number): Promise<void>;
  /** Has the workers write a version that a person takes away again at once. */
  prepare(): Promise<void>;
  /** Resolves once Git has what it is to have; fails after the time with what it has instead. */
  settle(maxMs: number): Promise<void>;
  /** What Git holds against what it must and must not hold; fails with the first difference. */
  assertExact(): Promise<void>;
  close(): Promise<void>;
}

/** A version of it is published and must not be written: too young for its policy. */
const young = 'young';
/** Its versions come to their age while all goes on, and are to be written then. */
const aging = 'aging';
/** A person went back from its version 1.1.0, and waits for a newer one. */
const reverted = 'reverted';

export async function openScene(options: SceneOptions): Promise<Scene> {
  const { appCount, workers: count, redis: isShared, ages = true, smallDisk = false, ...how } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-faults-'));
  const root = join(folder, 'served');
  mkdirSync(root);
  const faults: { registry: RegistryFault | undefined } = { registry: undefined };
  const registry = await startRegistryServer({ intercept: (...request) => faults.registry?.(...request) ?? false });
  const git = await startGitServer({ root });
  const redis = isShared ? await startRedis() : undefined;
  const apps = Array.from({ length: appCount }, (_, index) => `app-${index}`);
  const watched = [...apps, young, reverted, ...(ages ? [aging] : [])];
  const bare = makeBareRepo(join(root, 'deploy.git'), formatRepo(watched, registry.host));
  const latest = new Map<string, number>();
  for (const app of watched) registry.publish(`acme/${app}`, '1.0.0');
  const clone = join(folder, 'person');
  /** Files of people's, and what each has to hold. */
  const notes: { readonly file: string; readonly text: string }[] = [];
  const workers = Array.from({ length: count }, (_, index) => {
    const config = join(folder, `worker-${index}.json`);
    const stateDir = join(folder, `state-${index}`);
    if (smallDisk) mountDisk(stateDir);
    const settings = {
      repos: [{ url: git.url('deploy.git'), branch: 'main' }],
      stateDir,
      intervalSeconds: 1,
      maxIntervalSeconds: 1,
      timeoutSeconds: 5,
      credentialSources: [],
      log: { level: 'debug', format: 'json' },
      ...(redis !== undefined && { redis: { url: `redis://${redis.host}:${redis.port}` } }),
    };
    writeFileSync(config, JSON.stringify(settings));
    return startWorker({ ...how, config, stateDir, logFile: join(folder, `worker-${index}.log`) });
  });

  async function publish(publishCount: number, pauseMs: number): Promise<void> {
    for (let index = 0; index < publishCount; index += 1) {
      const app = apps[index % apps.length] ?? '';
      const minor = (latest.get(app) ?? 0) + 1;
      registry.publish(`acme/${app}`, `1.${minor}.0-rc.1`);
      registry.publish(`acme/${app}`, `1.${minor}.0`);
      registry.publish(`acme/${app}`, `9.${minor}.0-debug`);
      latest.set(app, minor);
      if (index % 25 === 0) {
        registry.publish(`acme/${young}`, `1.${index + 1}.0`);
        if (ages) registry.publish(`acme/${aging}`, `1.${index + 1}.0`);
        latest.set(aging, index + 1);
      }
      if (index % 50 === 10) await writeNote(app);
      await wait(pauseMs);
    }
  }

  /** A person's commit, which loses races as anybody's and is made again then: right above the version that Tallyman writes. */
  async function writeNote(app: string): Promise<void> {
    const note = { file: `${app}/deployment.yaml`, text: `# note ${notes.length}` };
    await pushAsPerson(async () => {
      const file = join(clone, note.file);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^( *)(?=(?:- )?image:)/m, `$1${note.text}\n$1`));
      await runGitAsync(clone, ['commit', '-qam', note.text]);
    });
    notes.push(note);
  }

  /** A person's `git revert` of the newest commit. */
  async function revertNewest(): Promise<void> {
    await runGitAsync(folder, ['clone', '-q', bare, clone]);
    for (const [name, value] of [
      ['user.name', 'Ada'],
      ['user.email', 'ada@example.com'],
    ] as const)
      await runGitAsync(clone, ['config', name, value]);
    await pushAsPerson(() => runGitAsync(clone, ['revert', '--no-edit', 'HEAD']));
  }

  async function pushAsPerson(commit: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await runGitAsync(clone, ['fetch', '-q', 'origin', 'main']);
      await runGitAsync(clone, ['reset', '-q', '--hard', 'FETCH_HEAD']);
      await commit();
      try {
        await runGitAsync(clone, ['push', '-q', 'origin', 'HEAD:main']);
        return;
      } catch (error) {
        if (tries >= 50) throw error;
      }
    }
  }

  const wanted = (): ReadonlyMap<string, string> =>
    new Map([
      ...apps.map((app) => [app, `1.${latest.get(app) ?? 0}.0`] as const),
      [young, '1.0.0'],
      ...(ages ? [[aging, `1.${latest.get(aging) ?? 0}.0`] as const] : []),
      [reverted, '1.0.0'],
    ]);

  async function readVersions(): Promise<ReadonlyMap<string, string>> {
    const text = await runGitAsync(bare, [
      'grep',
      '-h',
      '-o',
      '-E',
      'acme/[a-z0-9-]+:[0-9A-Za-z.-]+',
      'main',
      '--',
      '*/deployment.yaml',
    ]);
    return new Map(text.split('\n').map((line) => line.replace('acme/', '').split(':') as [string, string]));
  }

  return {
    ...{ registry, git, redis, bare, workers },
    get registryFault() {
      return faults.registry;
    },
    set registryFault(fault) {
      faults.registry = fault;
    },
    publish,
    async prepare() {
      registry.publish(`acme/${reverted}`, '1.1.0');
      await waitUntil(
        async () => (await readVersions()).get(reverted) === '1.1.0',
        60_000,
        () => tellWorkers(workers),
      );
      await revertNewest();
    },
    async settle(maxMs) {
      const find = async () => {
        const has = await readVersions();
        return [...wanted()].filter(([app, version]) => has.get(app) !== version);
      };
      let lacking = await find();
      const holds = async () => {
        lacking = await find();
        return lacking.length === 0;
      };
      await waitUntil(
        holds,
        maxMs,
        () => `${lacking.map(([app, version]) => `${app} is not at ${version}`).join(', ')}\n${tellWorkers(workers)}`,
      );
    },
    async assertExact() {
      const log = await runGitAsync(bare, ['log', '--reverse', '--format=%B', 'main']);
      for (const app of watched) assertChain(app, log);
      const plans = [...log.matchAll(/^Tallyman-Plan: (\S+)$/gm)].map(([, plan]) => plan);
      assert.equal(new Set(plans).size, plans.length, 'a plan was written twice');
      assert.deepEqual([...(await readVersions())].sort(), [...wanted()].sort());
      for (const { file, text } of notes) {
        const lines = (await runGitAsync(bare, ['show', `main:${file}`])).split('\n').map((line) => line.trim());
        assert.ok(lines.includes(text), `a person's "${text}" in ${file} is lost`);
      }
      assert.equal(await runGitAsync(bare, ['rev-list', '--min-parents=2', '--count', 'main']), '0');
      assert.equal(await runGitAsync(bare, ['fsck', '--strict', '--no-dangling']), '');
    },
    async close() {
      for (const worker of workers) await worker.kill();
      await Promise.all([git.close(), registry.close(), redis?.close()]);
      if (smallDisk) for (const index of workers.keys()) execFileSync('umount', [join(folder, `state-${index}`)]);
      if (process.env.FAULT_KEEP === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function mountDisk(folder: string): void {
  mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]);
}

async function waitUntil(holds: () => Promise<boolean>, maxMs: number, tell: () => string): Promise<void> {
  const endMs = Date.now() + maxMs;
  while (!(await holds())) {
    if (Date.now() > endMs) assert.fail(`it did not happen within ${maxMs / 1000} s: ${tell()}`);
    await wait(250);
  }
}

function tellWorkers(workers: readonly WorkerProcess[]): string {
  return workers.map((worker, index) => `worker ${index}: ${worker.tail()}`).join('\n');
}

/** Each version was written once, on top of the one before, and none that is forbidden ever was. */
function assertChain(app: string, log: string): void {
  const updates = [...log.matchAll(new RegExp(`^Tallyman-Update: shop/${app} \\S+ (\\S+) -> (\\S+)$`, 'gm'))];
  const written = updates.map(([, , to]) => to ?? '');
  assert.equal(new Set(written).size, written.length, `${app}: written twice: ${written}`);
  const before = updates.map(([, from]) => from);
  assert.deepEqual(before, ['1.0.0', ...written].slice(0, before.length), `${app}: an update was lost`);
  for (const version of written) assert.match(version, /^1\.\d+\.0$/, `${app}: a forbidden tag was written`);
}

const minimumAges: Readonly<Record<string, string>> = {
  [young]: '  minimumAge: 72h\n',
  [aging]: '  minimumAge: 3s\n',
};

function formatRepo(apps: readonly string[], host: string): Record<string, string> {
  return Object.assign(
    {},
    ...apps.map((app) => ({
      [`${app}/policy.yaml`]: `${formatPolicy(app, `${host}/acme/${app}`)}${minimumAges[app] ?? ''}`,
      [`${app}/deployment.yaml`]: formatDeployment(app, `${host}/acme/${app}:1.0.0`),
    })),
  );
}
