/** The daemon as a process that may be killed at any instant and comes again with what it had on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { endProcess } from '../services/server-process.ts';

export interface WorkerProcessOptions {
  readonly config: string;
  readonly logFile: string;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly shell?: string;
}

export interface WorkerProcess {
  readonly logFile: string;
  /** Ends it at once; it does not come again by itself. */
  kill(): Promise<void>;
  start(): void;
  /** Stops the process from running without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** Kilobytes of memory that it has now. */
  rssKb(): number;
  /** The last that it said. */
  tail(): string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

export function startWorker({ config, logFile, nodeArgs = [], env = {}, shell }: WorkerProcessOptions): WorkerProcess {
  let child: ChildProcess | undefined;
  const worker: WorkerProcess = {
    logFile,
    async kill() {
      if (child !== undefined) await endProcess(child, 'SIGKILL');
      child = undefined;
    },
    start() {
      const log = openSync(logFile, 'a');
      const args = [...nodeArgs, 'dist/main.js', 'run', '--config', config];
      const { PATH = '', TMPDIR = '/tmp' } = process.env;
      const options = {
        cwd: root,
        env: { PATH, TMPDIR, HOME: '/nonexistent', ...env },
        stdio: ['ignore', log, log] as ['ignore', number, number],
      };
      child =
        shell === undefined
          ? spawn(process.execPath, args, options)
          : spawn('/bin/sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, ...args], options);
      closeSync(log);
    },
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    rssKb() {
      const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    },
    tail: () => readFileSync(logFile, 'utf8').split('\n').slice(-6).join('\n'),
  };
  worker.start();
  return worker;
}
