/** A large Yaml repo on a server with all its images, and the program on top of it. */
import { join } from 'node:path';
import { openSession } from '../../src/compose/open-session.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import type { ProposingContext } from '../../src/pipeline/proposing-context.ts';
import { createWorker, type WorkerOptions } from '../../src/pipeline/run-jobs.ts';
import { type PassReport, runPass } from '../../src/pipeline/run-pass.ts';
import { makeBareRepo } from '../services/git-server.ts';
import { indexOfFile, makeFiles, type RepoSize } from './manifests.ts';
import type { BenchServers } from './servers.ts';

const { signal } = new AbortController();
const silent = { debug() {}, info() {}, warn() {}, error() {} };

export interface Scene extends RepoSize {
  readonly servers: BenchServers;
  readonly url: string;
  /** The bare repository on disk. */
  readonly bare: string;
  /** The next patch version of these policies' images. */
  publish(policies: readonly number[]): Promise<void>;
  /** The program with a clone of that name; `intervalMs` between two looks at an image, 0 asks at each pass. */
  open(clone: string, options: { intervalMs: number }): Promise<PassBench>;
}

export interface PassBench {
  pass(): Promise<PassReport>;
  /** As a webhook does: the policy's image is asked for again. */
  expectImage(policy: number): void;
  /** Passes as the daemon makes them, with the configuration's window. */
  watch(): Watching;
  close(): Promise<void>;
}

interface Watching {
  /** As a webhook about that policy's image. */
  wake(policy: number): void;
  /** The next pass is done. */
  passDone(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes the repository and publishes 1.0.0 of each policy's image. */
export async function makeScene(
  { root, servers }: { root: string; servers: BenchServers },
  size: RepoSize,
  purpose = 'one',
): Promise<Scene> {
  const name = `${purpose}-${size.policyCount}-of-${size.fileCount}`;
  const prefix = `${servers.host}/${name}`;
  const bare = makeBareRepo(join(root, `${name}.git`), makeFiles(prefix, size));
  const url = servers.gitUrl(`${name}.git`);
  const patches = new Map<number, number>();
  const pathOf = (policy: number) => `${name}/app-${indexOfFile(policy, size)}`;
  const publish = async (policies: readonly number[]) => {
    const images = policies.map((policy) => {
      const patch = patches.get(policy) ?? 0;
      patches.set(policy, patch + 1);
      return `${pathOf(policy)}:1.0.${patch}`;
    });
    await servers.publish(images);
  };
  await publish(Array.from({ length: size.policyCount }, (_, index) => index));
  return {
    ...size,
    servers,
    url,
    bare,
    publish,
    open: (clone, options) => openBench(url, join(root, `${name}-${clone}`), { ...options, pathOf }),
  };
}

async function openBench(
  url: string,
  stateDir: string,
  { intervalMs, pathOf }: { intervalMs: number; pathOf: (policy: number) => string },
): Promise<PassBench> {
  const result = parseConfig(JSON.stringify({ repos: [{ url }], stateDir, credentialSources: [] }), 'bench');
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  const session = await openSession(result.config, silent);
  const [repo] = session.repos;
  if (repo === undefined) throw new Error('the session has no repo');
  const { context } = repo;
  const { clock, concurrency, registry } = context;
  const intervals = { intervalMs, maxIntervalMs: intervalMs };
  const poller = createImagePoller(registry, { ...intervals, clock, concurrency, signal });
  const expectImage = (policy: number) => void poller.expect(({ path }) => path === pathOf(policy));
  const { batchSeconds } = result.config;
  return {
    pass: () => runPass({ ...context, poller }, { signal }),
    expectImage,
    watch: () =>
      watch({ ...context, poller }, pathOf, {
        queues: session.queues,
        poller,
        clock,
        log: silent,
        batchMs: batchSeconds * 1000,
      }),
    close: () => session.close(),
  };
}

function watch(
  context: ProposingContext,
  pathOf: (policy: number) => string,
  options: Pick<WorkerOptions, 'queues' | 'poller' | 'clock' | 'log' | 'batchMs'>,
): Watching {
  const abort = new AbortController();
  let onPass = () => {};
  const repo = { subject: 'bench', address: 'bench', branch: undefined, context };
  const worker = createWorker([repo], {
    ...{ ...options, intervalMs: 3_600_000, passConcurrency: 1, scanConcurrency: 1, drainMs: 0 },
    observers: [{ begin: () => {}, end: () => onPass() }],
  });
  const working = worker.run({ signal: abort.signal });
  return {
    wake(policy) {
      const images = [{ host: undefined, path: pathOf(policy) }];
      void worker.takeHint({ kind: 'images', images }, { signal: abort.signal });
    },
    passDone: () => new Promise((resolve) => (onPass = resolve)),
    async stop() {
      abort.abort();
      await working;
    },
  };
}

/** A figure counts only if the pass did what it is said to do. */
export function expectCommit(report: PassReport | undefined, wanted: string | undefined): void {
  if (report === undefined || report.commit !== wanted || report.problems.length > 0)
    throw new Error(`The pass made ${report?.commit}, ${wanted} was wanted: ${JSON.stringify(report?.problems)}`);
}
