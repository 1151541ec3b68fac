/** How long it takes from a look at the registry to the commit on the remote, over a large Yaml repo. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Session } from '../../src/cli/session.ts';
import { openSession } from '../../src/compose.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { type PassReport, runPass } from '../../src/pipeline/run-pass.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';
import { type BenchResult, measureMs, type Row } from './figures.ts';
import { indexOfFile, makeFiles } from './manifests.ts';
import { type BenchServers, startServers } from './servers.ts';

const fileCount = 5000;
const iterations = 12;
const coldIterations = 4;
const { signal } = new AbortController();
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** One new tag, nothing to do, a first pass, and the program's start. */
export async function benchPass(): Promise<BenchResult> {
  const root = mkdtempSync(join(tmpdir(), 'tallyman-bench-'));
  const servers = await startServers(root);
  try {
    const rows: Row[] = [];
    for (const policyCount of [5, 500]) rows.push(...(await measurePasses({ root, servers, policyCount })));
    return {
      title: `one pass over ${fileCount} YAML files of 50 lines`,
      notes: [
        "A pass lists every policy's tags, plans, commits and pushes; it ends when the remote has answered that its ref moved.",
        'Registry (in memory) and Git (git http-backend) are on loopback in another process, on the same cores.',
      ],
      rows: [...rows, measureStart()],
    };
  } finally {
    await servers.close();
    rmSync(root, { recursive: true, force: true });
  }
}

interface Measuring {
  readonly root: string;
  readonly servers: BenchServers;
  readonly policyCount: number;
}

async function measurePasses({ root, servers, policyCount }: Measuring): Promise<Row[]> {
  const name = `with-${policyCount}-policies.git`;
  const team = `team-${policyCount}`;
  const bare = makeBareRepo(join(root, name), makeFiles(`${servers.host}/${team}`, { fileCount, policyCount }));
  await servers.publish(
    Array.from(
      { length: policyCount },
      (_, index) => `${team}/app-${indexOfFile(index, { fileCount, policyCount })}:1.0.0`,
    ),
  );
  const open = (state: string) => openOn(servers.gitUrl(name), join(root, `${name}-${state}`));
  const samples = { cold: [] as number[], update: [] as number[], idle: [] as number[] };
  for (let index = 0; index < coldIterations; index += 1) {
    const session = open(`cold-${index}`);
    samples.cold.push(await measureMs(async () => expectCommit(await pass(session), undefined)));
    await session.close();
  }
  const session = open('warm');
  await pass(session);
  for (let index = 1; index <= iterations; index += 1) {
    await servers.publish([`${team}/app-0:1.0.${index}`]);
    let report: PassReport | undefined;
    samples.update.push(
      await measureMs(async () => {
        report = await pass(session);
      }),
    );
    expectCommit(report, runGit(bare, ['rev-parse', 'main']));
    samples.idle.push(await measureMs(async () => expectCommit(await pass(session), undefined)));
  }
  await session.close();
  const label = `${policyCount} policies: `;
  return [
    { name: `${label}one new tag, warm clone`, samplesMs: samples.update, barMs: 500 },
    { name: `${label}nothing to do, warm clone`, samplesMs: samples.idle, barMs: 50 },
    { name: `${label}first pass, no clone yet`, samplesMs: samples.cold },
  ];
}

function openOn(url: string, stateDir: string): Session {
  const result = parseConfig(JSON.stringify({ repos: [{ url }], stateDir, credentialSources: [] }), 'bench');
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return openSession(result.config, silent);
}

async function pass({ repos: [repo] }: Session): Promise<PassReport> {
  if (repo === undefined) throw new Error('the session has no repo');
  return await runPass(repo.context, { signal });
}

/** A figure counts only if the pass did what it is said to do. */
function expectCommit(report: PassReport | undefined, wanted: string | undefined): void {
  if (report === undefined || report.commit !== wanted || report.problems.length > 0)
    throw new Error(`The pass made ${report?.commit}, ${wanted} was wanted: ${JSON.stringify(report?.problems)}`);
}

/** From the start of the process to its end; the built program where there is one. */
function measureStart(): Row {
  const built = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const args = existsSync(built) ? [built] : ['--import', 'tsx', source];
  const samplesMs = Array.from({ length: iterations }, () => {
    const start = performance.now();
    const { status } = spawnSync(process.execPath, [...args, '--version']);
    if (status !== 0) throw new Error(`the program ended with ${status}`);
    return performance.now() - start;
  });
  return { name: `start of the process, --version (${existsSync(built) ? 'built' : 'tsx, not built'})`, samplesMs };
}
