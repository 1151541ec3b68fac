import { after, before } from 'node:test';
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import { testJobQueue } from '../contracts/job-queue-contract.ts';
import { startRedis, type TestRedis } from '../services/redis.ts';
import { openTestRedis } from './open-test-redis.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.close());

let count = 0;
testJobQueue('Redis', async () => {
  count += 1;
  const link = openTestRedis(redis);
  const queue = createRedisQueue(link, { name: `contract${count}` });
  return {
    ...queue,
    async close() {
      await queue.close();
      await link.close();
    },
  };
});
