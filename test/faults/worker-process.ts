/** The daemon as a process that may be killed at any instant and comes again with what it had on disk. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { endProcess } from '../services/server-process.ts';

export interface WorkerProcessOptions {
  readonly config: string;
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
  /** Lets no file of its own grow any more, as on a full disk, or lets them again. */
  fillDisk(isFull: boolean): void;
  /** Kilobytes of memory that it has now. */
  rssKb(): number;
  /** The last that it said. */
  tail(): string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

export function startWorker({ config, logFile, nodeArgs = [], env = {} }: WorkerProcessOptions): WorkerProcess {
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
      execFileSync('prlimit', ['--pid', `${child?.pid}`, `--fsize=${isFull ? 0 : 'unlimited'}:unlimited`]);
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
