/** All that workers share, in a cluster of several nodes and as the user that the README asks for. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AnswerStore, Ledger } from '../../src/pipeline/job-ports.ts';
import type { RedisLink } from '../../src/redis/open-redis.ts';
import { createRedisAnswers } from '../../src/redis/redis-answers.ts';
import { createRedisLedger } from '../../src/redis/redis-ledger.ts';
import { createRedisPace } from '../../src/redis/redis-pace.ts';
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import { testAnswerStore } from '../contracts/answer-store-contract.ts';
import { testJobQueue } from '../contracts/job-queue-contract.ts';
import { testLedger } from '../contracts/ledger-contract.ts';
import { startRedisCluster, type TestCluster } from '../services/redis-cluster.ts';
import { openTestRedis } from './open-test-redis.ts';

const user = { username: 'tally', password: 'secret' };
const { signal } = new AbortController();
const links: RedisLink[] = [];
let cluster: TestCluster;
let ledgers: { ledger: Ledger; other: Ledger };
let stores: { store: AnswerStore; other: AnswerStore };

/** Each knows one node only, and that one has none of Tallyman's keys. */
function open(): ReturnType<typeof openTestRedis> {
  const [seed] = cluster.others;
  const link = openTestRedis(cluster.owner, {
    place: { kind: 'cluster', nodes: seed === undefined ? [] : [seed] },
    credential: () => user,
    answerMs: 2000,
  });
  links.push(link);
  return link;
}

const silent = { warn: () => undefined };
before(async () => {
  cluster = await startRedisCluster({ user });
  ledgers = { ledger: createRedisLedger(open()), other: createRedisLedger(open()) };
  stores = {
    store: createRedisAnswers(open(), { log: silent }),
    other: createRedisAnswers(open(), { log: silent }),
  };
});
after(async () => {
  for (const link of links) await link.close();
  await cluster?.close();
});

let count = 0;
testJobQueue('Redis Cluster', async () => {
  count += 1;
  return createRedisQueue(open(), { name: `contract${count}` });
});
testLedger('Redis Cluster', () => ({
  ...ledgers,
  damage: async (repository) => void (await cluster.owner.client.set(`{tallyman}:ledger:${repository}`, 'else')),
}));
testAnswerStore('Redis Cluster', () => stores);

describe('Redis Cluster', () => {
  it('shares the limits of hosts', async () => {
    const warned: string[] = [];
    const log = { warn: (_: object, message: string) => void warned.push(message) };
    const [first, second] = [createRedisPace(open(), { log }), createRedisPace(open(), { log })];
    const question = { origin: 'https://ghcr.io', requestsPerSecond: 5, account: '' };
    await first.notePulls(question, { left: 3, limit: 100, windowMs: 60_000 });
    assert.equal((await second.enter(question, { signal }))?.pulls?.left, 3);
    await first.pause(question.origin, 60_000);
    assert.ok(((await second.enter(question, { signal }))?.pausedMs ?? 0) > 50_000);
    assert.deepEqual(warned, []);
  });
});
