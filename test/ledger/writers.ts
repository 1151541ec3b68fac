/** Processes that record into one ledger until they are killed, and never outlive the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export interface Writer {
  kill(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void;
  /** Has one that is asked record another tag. */
  ask(): void;
  /** How many tags it said it has recorded. */
  count(): number;
  /** How often it noticed that it was asked. */
  heard(): number;
  /** True once it has recorded more than so many, false after the time. */
  hasMore(than: number, limitMs: number): Promise<boolean>;
  /** True once it noticed more often that it was asked, false after the time. */
  hasHeard(than: number, limitMs: number): Promise<boolean>;
  /** The tags that it said it has recorded, once it has ended. */
  readonly recorded: Promise<readonly string[]>;
}

async function isMore(output: Readable, test: () => boolean, limitMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(limitMs);
  while (!test() && !signal.aborted) await once(output, 'data', { signal }).catch(() => undefined);
  return test();
}

/** Starts a writer that records its first tag at once, and more by itself or when it is asked to. */
export type StartWriter = (name: string, when: 'forever' | 'asked') => Writer;

/** Runs the test with writers that it starts, and kills what is left of them. */
export async function withWriters(stateDir: string, run: (start: StartWriter) => Promise<void>): Promise<void> {
  const writers: Writer[] = [];
  try {
    await run((name, when) => {
      const writer = startWriter([stateDir, name, when]);
      writers.push(writer);
      return writer;
    });
  } finally {
    for (const { kill } of writers) kill('SIGKILL');
    await Promise.all(writers.map(({ recorded }) => recorded));
  }
}

function startWriter(args: readonly string[]): Writer {
  const program = join(import.meta.dirname, 'record-forever.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], { stdio: 'pipe' });
  // One that was killed is asked no more.
  child.stdin.on('error', () => undefined);
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  let heard = 0;
  child.stderr.on('data', (chunk) => {
    const text = String(chunk);
    heard += text.split('heard\n').length - 1;
    process.stderr.write(text.replaceAll('heard\n', ''));
  });
  const lines = (): readonly string[] => said.split('\n').slice(0, -1);
  return {
    kill: (name) => void child.kill(name),
    ask: () => void child.stdin.write('\n'),
    count: () => lines().length,
    heard: () => heard,
    hasMore: (than, limitMs) => isMore(child.stdout, () => lines().length > than, limitMs),
    hasHeard: (than, limitMs) => isMore(child.stderr, () => heard > than, limitMs),
    recorded: once(child, 'close').then(lines),
  };
}
