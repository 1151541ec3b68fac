import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';
import { createCertificateReader } from '../../src/config/read-certificate.ts';
import { noClusterSecrets } from '../../src/config/read-cluster-secret.ts';
import { type RedisAccess, readRedisAccess } from '../../src/config/read-redis.ts';
import { openRedis } from '../../src/redis/open-redis.ts';
import { redisCaFile, startRedis } from '../services/redis.ts';
import { placesOf } from './secret-places.ts';

function access(redis: string, env: NodeJS.ProcessEnv = {}): RedisAccess {
  const result = parseConfig(`redis: ${redis}`, 'c.yaml');
  assert.ok('config' in result && result.config.redis !== undefined, JSON.stringify(result));
  return readRedisAccess(result.config.redis, {
    places: placesOf(env),
    readPem: createCertificateReader(noClusterSecrets),
  });
}

describe('readRedisAccess', () => {
  const places: Record<string, object> = {
    '{ url: "redis://redis.example.com" }': { kind: 'server', host: 'redis.example.com', port: 6379, database: 0 },
    '{ url: "rediss://[::1]:6380/3" }': { kind: 'server', host: '::1', port: 6380, database: 3 },
    '{ cluster: { nodes: ["a:1", "[::1]:2"] } }': {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
      ],
    },
    '{ sentinel: { master: main, nodes: ["a:1"] } }': {
      kind: 'sentinel',
      master: 'main',
      nodes: [{ host: 'a', port: 1 }],
      credential: undefined,
    },
  };
  for (const [text, place] of Object.entries(places)) {
    it(`finds the place of ${text}`, () => assert.deepEqual(access(text).place, place));
  }

  it('speaks TLS where the address or tls says so', () => {
    assert.equal(access('{ url: "redis://a" }').tls, undefined);
    assert.deepEqual(access('{ url: "rediss://a" }').tls, { ca: undefined });
    assert.deepEqual(access('{ tls: true, cluster: { nodes: ["a:1"] } }').tls, { ca: undefined });
  });

  it('reads a password when it is wanted', () => {
    const env: NodeJS.ProcessEnv = {};
    const { credential, keyPrefix } = access('{ url: "redis://a", credentials: { passwordEnv: P } }', env);
    assert.equal(keyPrefix, 'tallyman');
    assert.throws(() => credential?.(), /environment variable "P" is empty or missing/);
    env.P = 'secret';
    assert.deepEqual(credential?.(), { username: 'default', password: 'secret' });
  });

  it('opens a connection', async () => {
    const user = { username: 'tally', password: 'open sesame' };
    const redis = await startRedis({ tls: true, user });
    const text = `{ url: "rediss://127.0.0.1:${redis.port}", caFile: ${redisCaFile}, credentials: { username: tally, passwordEnv: P } }`;
    const log = { info: () => {}, warn: () => {} };
    const link = openRedis({ ...access(text, { P: user.password }), log });
    try {
      assert.equal(await link.ask({ code: 'QueueUnavailable', task: 'ask' }, (client) => client.ping()), 'PONG');
    } finally {
      await link.close();
      await redis.close();
    }
  });
});
