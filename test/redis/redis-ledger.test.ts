import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Ledger } from '../../src/pipeline/job-ports.ts';
import { openRedis, type RedisLink } from '../../src/redis/open-redis.ts';
import { type LedgerScene, testLedger } from '../contracts/ledger-contract.ts';
import { startRedis, type TestRedis } from '../services/redis.ts';
import { openTestLedger } from './open-test-redis.ts';

const { signal } = new AbortController();
const silent = { info: () => undefined, warn: () => undefined };
let redis: TestRedis;
let links: readonly RedisLink[] = [];
let scene: LedgerScene;
let ledgers: readonly Ledger[] = [];

before(async () => {
  redis = await startRedis();
  const place = { kind: 'server', host: redis.host, port: redis.port, database: 0 } as const;
  const settings = { place, tls: undefined, credential: undefined, keyPrefix: 'tallyman', log: silent, answerMs: 1000 };
  links = [1, 2, 3].map(() => openRedis(settings));
  ledgers = links.map((link) => openTestLedger(link));
  const [ledger, other] = ledgers;
  assert.ok(ledger && other);
  scene = {
    ledger,
    other,
    damage: async (repository) => void (await redis.client.set(`{tallyman}:ledger:${repository}`, 'something else')),
  };
});
after(async () => {
  for (const link of links) await link.close();
  await redis?.close();
});
testLedger('Redis', () => scene);

const seen = (tag: string, nowMs: number, digest?: string) => ({ sightings: [{ tag, digest }], nowMs });

describe('the Redis ledger', () => {
  it('loses nothing that three clients record at once', async () => {
    const all = Array.from({ length: 90 }, (_, index) => index);
    await Promise.all(
      all.map((index) => ledgers[index % 3]?.record('ghcr.io/acme/busy', seen(`t${index}`, index), { signal })),
    );
    const known = await scene.ledger.read('ghcr.io/acme/busy', { signal });
    assert.deepEqual(
      all.filter((index) => !known.has(`t${index}`)),
      [],
    );
  });

  it('makes tags young again, never old, where Redis lost its data', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    await scene.ledger.record('ghcr.io/acme/web', seen('1.0.0', 100, digest), { signal });
    await redis.client.flushall();
    const known = await scene.other.record('ghcr.io/acme/web', seen('1.0.0', 500, digest), { signal });
    assert.deepEqual(known.get('1.0.0'), { seenMs: 500, digest, digestSeenMs: 500, movedFrom: undefined });
  });

  it('tells once each time that Redis lost its data', async () => {
    const warned: string[] = [];
    const log = { warn: (_: object, message: string) => void warned.push(message) };
    const watching = links.slice(0, 2).map((link) => openTestLedger(link, log));
    const look = async () => {
      for (const ledger of [...watching, ...watching]) await ledger.nowMs({ signal });
      return warned.splice(0).map((message) => message.slice(0, 21));
    };
    const lost = 'redis lost the ledger';
    assert.deepEqual(await look(), []);
    for (let times = 0; times < 2; times += 1) {
      await redis.client.flushall();
      assert.deepEqual(await look(), [lost, lost]);
    }
    await scene.ledger.record('ghcr.io/acme/web', seen('2.0.0', 100), { signal });
    await redis.client.del('{tallyman}:ledger:ghcr.io/acme/web');
    assert.deepEqual(await look(), []);
  });

  it('forgets a repository a year after the last look at it, also one of before', async () => {
    const [key, year] = ['{tallyman}:ledger:ghcr.io/acme/seldom', 367 * 86_400];
    const keptAfterLook = async (): Promise<boolean> => {
      await scene.ledger.record('ghcr.io/acme/seldom', seen('1.0.0', 100), { signal });
      const left = await redis.client.ttl(key);
      return left > year - 60 && left <= year;
    };
    assert.ok(await keptAfterLook());
    await redis.client.expire(key, 86_400);
    assert.ok(await keptAfterLook());
    await redis.client.persist(key);
    assert.ok(await keptAfterLook());
    // Who only reads changes nothing.
    await redis.client.expire(key, 86_400);
    await scene.other.read('ghcr.io/acme/seldom', { signal });
    assert.ok((await redis.client.ttl(key)) <= 86_400);
  });

  it('tells the key that is damaged, and how to remove it', async () => {
    await scene.damage('ghcr.io/acme/bad');
    await assert.rejects(scene.ledger.read('ghcr.io/acme/bad', { signal }), (error) => {
      assert.ok(error instanceof TallymanError);
      assert.match(error.remedy, /^Remove it with `redis-cli del '\{tallyman\}:ledger:ghcr\.io\/acme\/bad'`/);
      return true;
    });
  });

  it('tells that Redis is away, and works when it is back', async () => {
    await redis.kill();
    const isTold = (error: unknown) => error instanceof TallymanError && error.code === 'LedgerUnavailable';
    await assert.rejects(scene.ledger.record('ghcr.io/acme/web', seen('1.1.0', 900), { signal }), isTold);
    await redis.start();
    const retry = async (): Promise<number> => {
      const known = await scene.ledger
        .record('ghcr.io/acme/web', seen('1.1.0', 900), { signal })
        .catch(() => undefined);
      return known?.size ?? (await retry());
    };
    assert.equal(await retry(), 1);
  });
});
