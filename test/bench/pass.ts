/** How long it takes from a look at the registry to the commit on the remote, over a large Yaml repo. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runGit } from '../services/git-server.ts';
import { type BenchResult, measureMs, type Row } from './figures.ts';
import { expectCommit, makeScene, type PassBench, type Scene } from './pass-scene.ts';
import { startServers } from './servers.ts';

const iterations = 12;
const coldIterations = 4;

/** One new tag, nothing to do, many new tags, a first pass, a restart, and the program's start. */
export async function benchPass(): Promise<BenchResult> {
  const root = mkdtempSync(join(tmpdir(), 'tallyman-bench-'));
  const servers = await startServers(root);
  try {
    const rows: Row[] = [];
    for (const policyCount of [5, 500]) {
      const scene = await makeScene({ root, servers }, { fileCount: 5000, policyCount });
      rows.push(...(await measurePasses(scene)), await measureWake(scene), ...(await measureCold(scene)));
    }
    const small = await makeScene({ root, servers }, { fileCount: 5000, policyCount: 500 }, 'many');
    const many = await measureMany(small, 2000);
    const large = await makeScene({ root, servers }, { fileCount: 20_000, policyCount: 500 }, 'many');
    rows.push(many, await measureMany(large, 1.5 * median(many)));
    return {
      title: 'one pass over YAML files of 50 lines, 5,000 if not said otherwise',
      notes: [
        'A pass lists tags, plans, commits and pushes; it ends when the remote has answered that its ref moved.',
        '"lists asked": every policy\'s tags are listed. "lists at hand": nothing was due, or a webhook told of one image.',
        'A pass with nothing to do makes one request to the Git server: the bench fails on any other number.',
        'A restart is a new context on the kept clone; the start of the process comes on top.',
        'The bar of 20,000 files is 1.5 times what 5,000 took here.',
        'Registry (in memory) and Git (git http-backend) are on loopback in another process, on the same cores.',
      ],
      rows: [...rows, ...measureStarts(small)],
    };
  } finally {
    await servers.close();
    rmSync(root, { recursive: true, force: true });
  }
}

async function measurePasses(scene: Scene): Promise<Row[]> {
  const { servers } = scene;
  const label = `${scene.policyCount} policies: `;
  const rows: Row[] = [];
  for (const [lists, intervalMs] of [
    ['lists asked', 0],
    ['lists at hand', 3_600_000],
  ] as const) {
    const samples = { update: [] as number[], idle: [] as number[] };
    const bench = await scene.open(`warm-${intervalMs}`, { intervalMs });
    await bench.pass();
    for (let index = 1; index <= iterations; index += 1) {
      await scene.publish([0]);
      bench.expectImage(0);
      samples.update.push(await measureCommit(bench, scene));
      await servers.countGitRequests();
      samples.idle.push(await measureMs(async () => expectCommit(await bench.pass(), undefined)));
      const requests = await servers.countGitRequests();
      if (requests !== 1) throw new Error(`A pass with nothing to do made ${requests} requests, one was wanted`);
    }
    await bench.close();
    rows.push({ name: `${label}one new tag, ${lists}`, samplesMs: samples.update, barMs: 250 });
    rows.push({ name: `${label}nothing to do, ${lists}`, samplesMs: samples.idle, barMs: 50 });
  }
  return rows;
}

async function measureCommit(bench: PassBench, { bare }: Scene): Promise<number> {
  let report: Awaited<ReturnType<PassBench['pass']>> | undefined;
  const ms = await measureMs(async () => {
    report = await bench.pass();
  });
  expectCommit(report, runGit(bare, ['rev-parse', 'main']));
  return ms;
}

/** From a webhook to the end of its pass, the window and all. */
async function measureWake(scene: Scene): Promise<Row> {
  const bench = await scene.open('woken', { intervalMs: 3_600_000 });
  const watching = bench.watch();
  await watching.passDone();
  const samplesMs: number[] = [];
  for (let index = 0; index < iterations; index += 1) {
    await scene.publish([0]);
    const before = runGit(scene.bare, ['rev-parse', 'main']);
    const done = watching.passDone();
    samplesMs.push(
      await measureMs(async () => {
        watching.wake(0);
        await done;
      }),
    );
    if (runGit(scene.bare, ['rev-parse', 'main^']) !== before) throw new Error('No commit was made, one was wanted');
  }
  await watching.stop();
  await bench.close();
  return { name: `${scene.policyCount} policies: one new tag, from webhook to pushed`, samplesMs, barMs: 500 };
}

async function measureCold({ policyCount, open }: Scene): Promise<Row[]> {
  const samples = { cold: [] as number[], restart: [] as number[] };
  for (let index = 0; index < coldIterations; index += 1) {
    for (const kind of ['cold', 'restart'] as const) {
      const bench = await open(`cold-${index}`, { intervalMs: 0 });
      samples[kind].push(await measureMs(async () => expectCommit(await bench.pass(), undefined)));
      await bench.close();
    }
  }
  return [
    { name: `${policyCount} policies: first pass, no clone yet`, samplesMs: samples.cold },
    {
      name: `${policyCount} policies: first pass after a restart, clone kept`,
      samplesMs: samples.restart,
      barMs: 1000,
    },
  ];
}

/** A new tag for each policy, all in one commit. */
async function measureMany(scene: Scene, barMs: number): Promise<Row> {
  const all = Array.from({ length: scene.policyCount }, (_, index) => index);
  const bench = await scene.open('many', { intervalMs: 0 });
  await bench.pass();
  const samplesMs: number[] = [];
  for (let index = 0; index < 5; index += 1) {
    await scene.publish(all);
    samplesMs.push(await measureCommit(bench, scene));
    const changed = runGit(scene.bare, ['diff', '--name-only', 'main^', 'main']).split('\n').length;
    if (changed !== all.length) throw new Error(`${changed} files changed, ${all.length} were wanted`);
  }
  await bench.close();
  return { name: `${all.length} files in one commit, of ${scene.fileCount}`, samplesMs, barMs };
}

/** Nearest rank. */
function median({ samplesMs }: Row): number {
  return [...samplesMs].sort((a, b) => a - b)[Math.ceil(samplesMs.length / 2) - 1] ?? Number.NaN;
}

/** From the start of a process to its end; the built program where there is one, and others to compare with. */
function measureStarts({ url }: Scene): Row[] {
  const built = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const args = existsSync(built) ? [built] : ['--import', 'tsx', source];
  return [
    measureStart(`start of the process, --version (${existsSync(built) ? 'built' : 'tsx, not built'})`, [
      process.execPath,
      ...args,
      '--version',
    ]),
    measureStart('to compare: node -e 0', [process.execPath, '-e', '0']),
    measureStart('to compare: git ls-remote', ['git', 'ls-remote', url, 'main']),
  ];
}

function measureStart(name: string, [program = '', ...args]: readonly string[]): Row {
  const samplesMs = Array.from({ length: iterations }, () => {
    const start = performance.now();
    const { status } = spawnSync(program, args);
    if (status !== 0) throw new Error(`${program} ended with ${status}`);
    return performance.now() - start;
  });
  return { name, samplesMs };
}
