/** The daemon as a process that may be killed at any instant and comes again with what it had on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, createWriteStream, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCode } from '../../src/error/find-code.ts';
import { endProcess } from '../services/server-process.ts';

export interface WorkerProcessOptions {
  readonly config: string;
  /** As `config` has it. */
  readonly stateDir: string;
  readonly logFile: string;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface WorkerProcess {
  readonly logFile: string;
  /** Ends it at once; it does not come again by itself. */
  kill(): Promise<void>;
  start(): void;
  /** Stops the process from running without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** Leaves no room in its state folder, which has to be a small disk of its own, or makes room again. */
  fillDisk(isFull: boolean): void;
  /** Kilobytes of memory that it has now. */
  rssKb(): number;
  /** The last that it said. */
  tail(): string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

export function startWorker({
  config,
  stateDir,
  logFile,
  nodeArgs = [],
  env = {},
}: WorkerProcessOptions): WorkerProcess {
  let child: ChildProcess | undefined;
  writeFileSync(logFile, '');
  const worker: WorkerProcess = {
    logFile,
    async kill() {
      if (child !== undefined) await endProcess(child, 'SIGKILL');
      child = undefined;
    },
    start() {
      const { PATH = '', TMPDIR = '/tmp' } = process.env;
      child = spawn(process.execPath, [...nodeArgs, 'dist/main.js', 'run', '--config', config], {
        cwd: root,
        env: { PATH, TMPDIR, HOME: '/nonexistent', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const log = createWriteStream(logFile, { flags: 'a' });
      child.stdout?.pipe(log, { end: false });
      child.stderr?.pipe(log);
    },
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    fillDisk(isFull) {
      const filler = join(stateDir, 'filler');
      if (isFull) fill(filler);
      else rmSync(filler, { force: true });
    },
    rssKb() {
      const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    },
    tail: () => readFileSync(logFile, 'utf8').split('\n').slice(-6).join('\n'),
  };
  worker.start();
  return worker;
}

/** Until there is no byte left. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (const size of [2 ** 20, 4096, 1]) while (hasRoom(() => writeSync(descriptor, Buffer.alloc(size))));
  } finally {
    closeSync(descriptor);
  }
}

function hasRoom(write: () => number): boolean {
  try {
    return write() > 0;
  } catch (error) {
    if (findCode(error) === 'ENOSPC') return false;
    throw error;
  }
}
