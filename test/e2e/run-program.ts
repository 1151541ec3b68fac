/** Runs the real program as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '../wait-until.ts';

/** One JSON line of the log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface Finished {
  /** Exit code; the signal's name where one ended the process. */
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of standard error that are JSON. */
  readonly log: readonly LogLine[];
}

export interface Running {
  readonly child: ChildProcess;
  /** All that it said until now, on both streams. */
  said(): string;
  readonly finished: Promise<Finished>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Longer than any of these runs takes; the process is killed then. */
const maxRunMs = 90_000;
/** A busy machine takes ten seconds to start the program from its sources. */
const maxWaitMs = 30_000;

/** The built program where it is newer than every source (it starts in half the time), else the sources. */
const program = isBuilt() ? ['dist/main.js'] : ['--import', 'tsx', 'src/main.ts'];

function isBuilt(): boolean {
  const built = join(root, 'dist', 'main.js');
  if (!existsSync(built)) return false;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return sources.every((file) => statSync(join(root, 'src', file)).mtimeMs < statSync(built).mtimeMs);
}

/** Starts `tallyman <args>` with nothing of this user's environment but `env`, and a home that holds no credentials. */
export function startProgram(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const { PATH = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: root,
    env: { PATH, TMPDIR, HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: maxRunMs,
    killSignal: 'SIGKILL',
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? signal, ...said, log: readLog(said.stderr) }));
  });
  return { child, said: () => said.stdout + said.stderr, finished };
}

function readLog(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/** Polls until it holds; fails with what was hoped for after `maxWaitMs`. */
export async function until(holds: () => boolean, hoped: () => string): Promise<void> {
  await waitUntil(holds, { timeoutMs: maxWaitMs, tell: hoped });
}
