/** What Redis is asked where each worker can go on without an answer. */
import { toProblem } from '../error/problem.ts';
import type { Log } from '../pipeline/ports.ts';
import type { RedisClient, RedisLink } from './open-redis.ts';

/** What the command answers; undefined where Redis is away. Rejects with the signal's reason alone. */
export type AskOrLeave = <Value>(
  command: (client: RedisClient) => Promise<Value>,
  signal: AbortSignal | undefined,
) => Promise<Value | undefined>;

/** After a failure Redis is left alone so long: nothing shall wait for it each time. */
const leaveMs = 5000;

/** Says once, in the words of `alone`, that each worker goes on by itself. */
export function createAskOrLeave(
  link: Pick<RedisLink, 'ask'>,
  { task, alone, log }: { task: string; alone: string; log: Pick<Log, 'warn'> },
): AskOrLeave {
  let leftUntilMs = 0;
  let isAlone = false;
  return async (command, signal) => {
    if (performance.now() < leftUntilMs) return undefined;
    try {
      const answer = await link.ask({ code: 'QueueUnavailable', task, signal }, command);
      isAlone = false;
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      leftUntilMs = performance.now() + leaveMs;
      const { code, message, remedy } = toProblem(error);
      if (!isAlone) log.warn({ code, remedy }, `${message}; ${alone}`);
      isAlone = true;
      return undefined;
    }
  };
}
