/** All that workers share through Redis, against whatever speaks its protocol. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import type { AnswerStore, Ledger } from '../../src/pipeline/job-ports.ts';
import type { RedisLink, RedisSettings } from '../../src/redis/open-redis.ts';
import { createRedisAnswers } from '../../src/redis/redis-answers.ts';
import { createRedisPace } from '../../src/redis/redis-pace.ts';
import { createRedisQueue } from '../../src/redis/redis-queue.ts';
import { testAnswerStore } from '../contracts/answer-store-contract.ts';
import { testJobQueue } from '../contracts/job-queue-contract.ts';
import { testLedger } from '../contracts/ledger-contract.ts';
import type { TestRedis } from '../services/redis.ts';
import { openTestLedger, openTestRedis } from './open-test-redis.ts';

/** As this user all of it is done, with the rights that the README asks for and no more. */
export const sharedUser = { username: 'tally', password: 'secret' };

interface Scene {
  /** Has the keys; lets that user in. */
  readonly server: TestRedis;
  /** How links reach it; by default as one server. */
  readonly place?: RedisSettings['place'];
  close(): Promise<void>;
}

/** Declares the tests; the scene is opened before them. */
export function testSharedWork(kind: string, openScene: () => Promise<Scene>): void {
  const { signal } = new AbortController();
  const links: RedisLink[] = [];
  let scene: Scene;
  let ledgers: { ledger: Ledger; other: Ledger };
  let stores: { store: AnswerStore; other: AnswerStore };
  let client: Redis;

  function open(): RedisLink {
    const { server, place } = scene;
    const more = { credential: () => sharedUser, answerMs: 2000, ...(place !== undefined && { place }) };
    const link = openTestRedis(server, more);
    links.push(link);
    return link;
  }

  before(async () => {
    scene = await openScene();
    client = scene.server.client;
    ledgers = { ledger: openTestLedger(open()), other: openTestLedger(open()) };
    const openStore = () => createRedisAnswers(open(), { log: { warn: () => undefined } });
    stores = { store: openStore(), other: openStore() };
  });
  after(async () => {
    for (const link of links) await link.close();
    await scene?.close();
  });

  let count = 0;
  testJobQueue(kind, async () => {
    count += 1;
    return createRedisQueue(open(), { name: `contract${count}` });
  });
  testLedger(kind, () => ({
    ...ledgers,
    damage: async (repository) => void (await client.set(`{tallyman}:ledger:${repository}`, 'something else')),
  }));
  testAnswerStore(kind, () => stores);

  describe(`host pace: ${kind}`, () => {
    it('shares pauses and pulls', async () => {
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
}
