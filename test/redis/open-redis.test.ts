import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { RedisLink, RedisSettings } from '../../src/redis/open-redis.ts';
import { redisCaFile, startRedis, type TestRedisOptions } from '../services/redis.ts';
import { sentinelName, startSentinel } from '../services/redis-sentinel.ts';
import { waitUntil } from '../wait-until.ts';
import { openTestRedis } from './open-test-redis.ts';

const closes: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closes.reverse()) await close();
});

async function serve(options: TestRedisOptions = {}) {
  const redis = await startRedis(options);
  closes.push(redis.close);
  return redis;
}

type Place = Pick<Awaited<ReturnType<typeof serve>>, 'host' | 'port'>;

function open(redis: Place, more: Partial<RedisSettings> = {}) {
  const link = openTestRedis(redis, { answerMs: 1000, ...more });
  closes.push(link.close);
  return link;
}

const ping = (link: RedisLink, signal?: AbortSignal): Promise<string> =>
  link.ask({ code: 'QueueUnavailable', task: 'count jobs', signal }, (client) => client.ping());

async function failureOf(link: RedisLink): Promise<TallymanError> {
  const startMs = Date.now();
  const error = await ping(link).then(
    () => assert.fail('it answered'),
    (failure) => failure,
  );
  assert.ok(error instanceof TallymanError, String(error));
  assert.equal(error.code, 'QueueUnavailable');
  assert.equal(error.disposition, 'retry');
  assert.ok(Date.now() - startMs < 5000, `${Date.now() - startMs} ms`);
  return error;
}

/** Everything that could be shown of it. */
const textsOf = (error: TallymanError): string =>
  JSON.stringify([error.message, error.remedy, error.stack, String(error.cause)]);

const user = { username: 'tally', password: 'pass "word" {secret}' };
const ca = readFileSync(redisCaFile, 'utf8');

describe('openRedis', () => {
  it('has a hundred ask with one signal while Redis is away, and leaves no listeners', async (t) => {
    const warnings: string[] = [];
    const warn = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', warn);
    t.after(() => process.off('warning', warn));
    const redis = await serve();
    const link = open(redis);
    await ping(link);
    const count = (): number => link.client.listenerCount('ready');
    const before = count();
    await redis.kill();
    const { signal } = new AbortController();
    const asked = await Promise.allSettled(Array.from({ length: 100 }, () => ping(link, signal)));
    assert.ok(asked.some(({ status }) => status === 'rejected'));
    await new Promise(setImmediate);
    assert.deepEqual([warnings, count(), getEventListeners(signal, 'abort').length], [[], before, 0]);
  });

  it('speaks to one server, and says nothing of what is in order', async () => {
    const link = open(await serve());
    assert.equal(await ping(link), 'PONG');
    assert.deepEqual([link.keyPrefix, link.logged], ['{tallyman}:', []]);
  });

  it('speaks TLS with the authority that is named, also as a user of the access control list', async () => {
    const redis = await serve({ tls: true, user });
    assert.equal(await ping(open(redis, { tls: { ca }, credential: () => user })), 'PONG');
    const localhost = { kind: 'server', host: 'localhost', port: redis.port, database: 0 } as const;
    assert.equal(await ping(open(redis, { place: localhost, tls: { ca }, credential: () => user })), 'PONG');
  });

  it('trusts no other certificate, and names caFile', async () => {
    const error = await failureOf(open(await serve({ tls: true }), { tls: { ca: undefined } }));
    assert.match(error.message, /its certificate is not trusted/);
    assert.match(error.remedy, /caFile/);
  });

  it('tells of a server without TLS where that was wanted', async () => {
    const error = await failureOf(open(await serve(), { tls: { ca } }));
    assert.match(error.message, /^Cannot count jobs in Redis "127\.0\.0\.1:\d+": /);
  });

  it('uses the rights that it asks for, and no more', async () => {
    const link = open(await serve({ user }), { credential: () => user });
    const task = { code: 'QueueUnavailable', task: 'add jobs' } as const;
    assert.equal(await link.ask(task, (client) => client.set(`${link.keyPrefix}a`, '1')), 'OK');
    await assert.rejects(
      link.ask(task, (client) => client.set('other', '1')),
      /access control list/,
    );
    await assert.rejects(
      link.ask(task, (client) => client.flushall()),
      /access control list/,
    );
  });

  it('tells of wrong credentials without showing them', async () => {
    const redis = await serve({ user });
    for (const password of ['wrong-secret', undefined]) {
      const credential = password === undefined ? undefined : () => ({ ...user, password });
      const link = open(redis, { credential });
      const error = await failureOf(link);
      assert.match(error.message, password === undefined ? /asks for a password/ : /refuses the credentials/);
      assert.match(error.remedy, /`credentials` under `redis`/);
      assert.doesNotMatch(textsOf(error) + link.logged.join(), /secret/);
    }
  });

  it('reads the credentials again for the next connection', async () => {
    const redis = await serve({ user });
    let password = 'not yet';
    let faults = 0;
    const credential = () => {
      if (password !== '') return { ...user, password };
      faults += 1;
      throw new Error('the file is being replaced');
    };
    const link = open(redis, { credential });
    await failureOf(link);
    password = '';
    await failureOf(link);
    assert.ok(faults > 0);
    password = user.password;
    for (const endMs = Date.now() + 15_000; Date.now() < endMs; ) if ((await ping(link).catch(() => '')) !== '') break;
    assert.equal(await ping(link), 'PONG');
  });

  it('asks Sentinels where the server is', async () => {
    const redis = await serve();
    const sentinel = await startSentinel(redis);
    closes.push(sentinel.close);
    const nodes = [{ host: '127.0.0.1', port: sentinel.port }];
    const link = open(redis, { place: { kind: 'sentinel', master: sentinelName, nodes, credential: undefined } });
    assert.equal(await ping(link), 'PONG');
    const lost = open(redis, { place: { kind: 'sentinel', master: 'other', nodes, credential: undefined } });
    assert.match((await failureOf(lost)).message, /no Sentinel can be reached, or none knows the master/);
  });

  it('reads the credentials of Sentinels again for the next connection', async () => {
    const redis = await serve();
    const sentinel = await startSentinel(redis, { lines: ['requirepass right-secret'] });
    closes.push(sentinel.close);
    let password = 'wrong-secret';
    const credential = () => ({ username: 'default', password });
    const nodes = [{ host: '127.0.0.1', port: sentinel.port }];
    const link = open(redis, { place: { kind: 'sentinel', master: sentinelName, nodes, credential } });
    const error = await failureOf(link);
    assert.match(error.message, /refuses the credentials/);
    assert.doesNotMatch(textsOf(error) + link.logged.join(), /secret/);
    password = 'right-secret';
    await waitUntil(async () => (await ping(link).catch(() => '')) !== '', { timeoutMs: 15_000 });
  });

  it('connects to a server that stays a replica only seldom anew, and leaves it to the tasks to say so', async () => {
    const primary = await serve();
    const replica = await serve({ lines: [`replicaof ${primary.host} ${primary.port}`] });
    const link = open(replica);
    assert.equal(await ping(link), 'PONG');
    const connections = async (): Promise<number> =>
      Number(/^total_connections_received:(\d+)/m.exec(await replica.client.info('stats'))?.[1]);
    const before = await connections();
    const task = { code: 'QueueUnavailable', task: 'add jobs' } as const;
    const write = () => link.ask(task, (client) => client.set(`${link.keyPrefix}a`, '1'));
    await assert.rejects(write(), /a replica that takes no writes/);
    await waitUntil(async () => (await connections()) === before + 1 && (await ping(link).catch(() => '')) !== '');
    for (const _ of Array(20)) await assert.rejects(write(), /a replica that takes no writes/);
    assert.equal(await ping(link), 'PONG');
    assert.equal(await connections(), before + 1);
    assert.deepEqual(link.logged, []);
  });

  it('speaks to a cluster, all keys of one script on one node', async () => {
    const redis = await serve({ cluster: true });
    const link = open(redis, { place: { kind: 'cluster', nodes: [redis] } });
    const keys = ['a', 'b', 'c'].map((name) => `${link.keyPrefix}${name}`);
    const script = "for _, key in ipairs(KEYS) do redis.call('SET', key, 1) end return #KEYS";
    const task = { code: 'QueueUnavailable', task: 'add jobs' } as const;
    assert.equal(await link.ask(task, (client) => client.eval(script, 3, ...keys)), 3);
    await assert.rejects(link.ask(task, (client) => client.eval(script, 2, 'a', 'b')));
    await redis.kill();
    await failureOf(link);
    await redis.start();
    for (const endMs = Date.now() + 15_000; Date.now() < endMs; ) if ((await ping(link).catch(() => '')) !== '') break;
    assert.equal(await ping(link), 'PONG');
  });

  it('fails in bounded time while the server is away, heals by itself, and says each once', async () => {
    const redis = await serve();
    const link = open(redis);
    assert.equal(await ping(link), 'PONG');
    await redis.kill();
    for (const _ of [1, 2]) assert.match((await failureOf(link)).message, /connection was (?:refused|lost)/);
    await redis.start();
    for (const endMs = Date.now() + 15_000; Date.now() < endMs; ) if ((await ping(link).catch(() => '')) !== '') break;
    assert.equal(await ping(link), 'PONG');
    assert.deepEqual(
      link.logged.map((line) => line.replace(/ \{.*/, '').replace(/: .*;/, ';')),
      ['warn cannot reach Redis; it is tried again by itself', 'info Redis is reachable again'],
    );
  });

  it('fails in bounded time where the server hangs', async () => {
    const redis = await serve();
    const link = open(redis);
    assert.equal(await ping(link), 'PONG');
    redis.freeze(true);
    assert.match((await failureOf(link)).message, /does not answer/);
    redis.freeze(false);
    for (const endMs = Date.now() + 15_000; Date.now() < endMs; ) if ((await ping(link).catch(() => '')) !== '') break;
    assert.equal(await ping(link), 'PONG');
  });

  it("throws the signal's reason", async () => {
    const redis = await serve();
    const link = open(redis);
    await ping(link);
    redis.freeze(true);
    const abort = new AbortController();
    const answer = ping(link, abort.signal);
    abort.abort(new Error('enough'));
    await assert.rejects(answer, /enough/);
    redis.freeze(false);
  });
});
