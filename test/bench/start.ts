/** What it takes to start, with no cluster and with one: how long, and how much memory. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeBareRepo } from '../services/git-server.ts';
import { startKubernetes } from '../services/kubernetes.ts';
import { type BenchResult, measureMs, type Row } from './figures.ts';

const rounds = 10;
const run = promisify(execFile);
const usageFile = fileURLToPath(new URL('./tell-usage.mjs', import.meta.url));

/** With the built program: `npm run build` comes first. */
export async function benchStart(): Promise<BenchResult> {
  const root = mkdtempSync(join(tmpdir(), 'tallyman-bench-start-'));
  const kubernetes = await startKubernetes();
  try {
    const repo = makeBareRepo(join(root, 'deploy.git'), { 'README.md': 'no policies\n' });
    const write = (name: string, cluster: string) => {
      const file = join(root, name);
      writeFileSync(
        file,
        `repos: [{ path: ${JSON.stringify(repo)} }]\nstateDir: ${join(root, 'state')}\nkubernetes: ${cluster}\n`,
      );
      return file;
    };
    const off = write('off.yaml', 'off');
    const on = write('on.yaml', `{ kubeconfig: ${kubernetes.kubeconfig} }`);
    const bare = await measure(['-e', '0']);
    const without = await measure(['dist/main.js', 'run', '--once', '--config', off]);
    const within = await measure(['dist/main.js', 'run', '--once', '--config', on]);
    const tell = ({ peakMb }: Measured) => `${peakMb.toFixed(0)} MB`;
    return {
      title: 'one pass over a Yaml repo without policies, as a process of its own',
      notes: [
        `Peak memory: ${tell(without)} with \`kubernetes: off\`, ${tell(within)} in a cluster, ${tell(bare)} of Node alone.`,
        'The cluster is a real API server on loopback and the same cores.',
      ],
      rows: [
        { ...bare.row, name: 'node -e 0' },
        { ...without.row, name: 'tallyman run --once, kubernetes: off' },
        { ...within.row, name: 'tallyman run --once, in a cluster' },
      ],
    };
  } finally {
    await kubernetes.close();
    rmSync(root, { recursive: true, force: true });
  }
}

interface Measured {
  readonly row: Omit<Row, 'name'>;
  readonly peakMb: number;
}

async function measure(args: readonly string[]): Promise<Measured> {
  const samplesMs: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = () => run(process.execPath, ['--import', usageFile, ...args], { cwd: process.cwd() });
    samplesMs.push(
      await measureMs(async () => {
        const { stderr } = await start();
        peaks.push(JSON.parse(stderr.slice(stderr.lastIndexOf('usage ') + 6)).peakMb);
      }),
    );
  }
  return { row: { samplesMs }, peakMb: peaks.sort((a, b) => a - b)[Math.floor(peaks.length / 2)] ?? Number.NaN };
}
