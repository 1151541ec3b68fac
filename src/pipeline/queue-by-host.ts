/** Tasks in a queue for each host: a slow one takes no turns from the others. */

/** Runs the task once it is its turn. */
export type QueueByHost = <Value>(host: string, task: () => Promise<Value>) => Promise<Value>;

interface HostQueue {
  running: number;
  readonly waiting: (() => void)[];
}

/** With at most `limit` tasks of one host under way at once, in the order they came. */
export function createQueueByHost(limit: number): QueueByHost {
  const hosts = new Map<string, HostQueue>();
  return async (host, task) => {
    const queue = hosts.get(host) ?? { running: 0, waiting: [] };
    hosts.set(host, queue);
    if (queue.running < limit) queue.running += 1;
    else await new Promise<void>((resolve) => queue.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = queue.waiting.shift();
      if (next === undefined) queue.running -= 1;
      // The turn is handed on.
      else next();
      if (queue.running === 0) hosts.delete(host);
    }
  };
}
