/** `redis-server` as a process, whatever its configuration makes of it: a server, a node of a cluster or a Sentinel. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { endProcess, findFreePort, hasEnded } from './server-process.ts';

export const redisHost = '127.0.0.1';
export const startTimeoutMs = 15_000;

export interface RedisProcess {
  readonly port: number;
  /** Resolves once it accepts connections. Throws where the program is missing or does not start. */
  start(): Promise<void>;
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>;
  /** Stops the process from running without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** Ends it, and removes its folder. */
  close(): Promise<void>;
}

/** One that is not started yet, with a folder of its own and a free port; `format` gives the lines of its configuration. */
export async function prepareRedisProcess(
  format: (place: { port: number; folder: string }) => readonly string[],
  { program = 'redis-server', args = [] }: { program?: string; args?: readonly string[] } = {},
): Promise<RedisProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-redis-'));
  const port = await findFreePort();
  const file = join(folder, 'redis.conf');
  const lines = [`bind ${redisHost}`, `dir ${folder}`, ...format({ port, folder })];
  await writeFile(file, `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child !== undefined) await endProcess(child, 'SIGKILL');
  };
  return {
    port,
    kill,
    async start() {
      child = await runServer(program, [file, ...args]);
    },
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function runServer(program: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-5000);
  });
  let failure: Error | undefined;
  child.on('error', (error) => {
    failure = error;
  });
  for (const endMs = Date.now() + startTimeoutMs; ; await wait(10)) {
    if (/Ready to accept connections|\+monitor master/.test(said)) return child;
    if (failure !== undefined)
      throw new Error(`Cannot start ${program}: ${failure.message}. Install it with: npm run services`);
    if (hasEnded(child) || Date.now() > endMs) {
      await endProcess(child, 'SIGKILL');
      throw new Error(`${program} does not start: ${said}`);
    }
  }
}
