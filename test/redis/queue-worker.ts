/** A worker process for tests: begins jobs and never ends them; says each on a line of its own. Arguments: port, queue, lockMs. */
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import { openTestRedis } from './open-test-redis.ts';

const [port, name = '', lockMs] = process.argv.slice(2);
const queue = createRedisQueue(openTestRedis({ host: '127.0.0.1', port: Number(port) }), {
  name,
  lockMs: Number(lockMs),
});
const { signal } = new AbortController();
await queue.work(
  ({ subject }) => {
    process.stdout.write(`${subject}\n`);
    return new Promise(() => {});
  },
  { signal, concurrency: 1, drainMs: 0 },
);
