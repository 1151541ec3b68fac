/** Runs credential helpers as child processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { RunHelper } from './credential-helper.ts';

/** Far more than any credential; the largest known, cloud tokens, have some kilobytes. */
const maxAnswerChars = 64 * 1024;

/** Starts programs of the PATH in this environment, without a shell; nothing that they start outlives the call. */
export function createHelperRunner(env: NodeJS.ProcessEnv): RunHelper {
  return (program, input, { signal }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      // A group of its own: helpers are often scripts, and what they wait for must end with them.
      const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'], detached: true });
      let stdout = '';
      const fail = (error: unknown): void => {
        endGroup(child);
        reject(error);
      };
      const leave = (): void => fail(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (stdout.length > maxAnswerChars) fail(tooMuch(program));
      });
      child.once('error', fail);
      child.once('close', (code) => {
        signal.removeEventListener('abort', leave);
        resolve({ code, stdout });
      });
      // One that ends without reading its input says why by its exit code.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
}

function endGroup(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stdin?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // No such group any more, or a system without groups.
    child.kill('SIGKILL');
  }
}

function tooMuch(program: string): Error {
  const message = `${program} printed more than ${maxAnswerChars} characters`;
  return Object.assign(new Error(message), { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' });
}
