import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';
import { parseRedisNode } from '../../src/config/redis-schema.ts';

const problemsOf = (redis: string): string => {
  const result = parseConfig(`redis: ${redis}`, 'c.yaml');
  return 'problems' in result ? result.problems.map((problem) => problem.message).join('\n') : '';
};

const refused: Record<string, readonly [string, RegExp]> = {
  'no place': ['{ keyPrefix: a }', /exactly one of url, sentinel and cluster/],
  'two places': ['{ url: "redis://a:1", cluster: { nodes: ["a:1"] } }', /exactly one of url, sentinel and cluster/],
  'another protocol': ['{ url: "https://a" }', /redis:\/\/host:port or rediss:\/\/host:port/],
  'a password in the address': ['{ url: "redis://u:secret-word@a:1" }', /they go under `credentials`/],
  'a query, which may hold one': ['{ url: "redis://a:1?password=secret-word" }', /an address without a query/],
  'a path': ['{ url: "redis://a:1/x" }', /a number or nothing/],
  'TLS said twice': ['{ url: "redis://a:1", tls: true }', /tls/],
  'a password as text': ['{ url: "redis://a", credentials: { password: secret-word } }', /credentials/],
  'two sources of the password': [
    '{ url: "redis://a", credentials: { passwordFile: f, passwordEnv: E } }',
    /exactly one/,
  ],
  'a prefix with braces': ['{ url: "redis://a", keyPrefix: "{x}" }', /letters, digits/],
  'a node without a port': ['{ cluster: { nodes: [a] } }', /host:port/],
  'a Sentinel without a name': ['{ sentinel: { nodes: ["a:1"] } }', /sentinel\.master/],
};

describe('redis in the configuration', () => {
  for (const text of [
    '{ url: "redis://redis.example.com" }',
    '{ url: "rediss://[::1]:6380/3", caFile: ca.pem, keyPrefix: team-a }',
    '{ url: "redis://a:1", credentials: { username: tally, passwordFile: f } }',
    '{ url: "redis://a:1", credentials: { passwordEnv: P } }',
    '{ tls: true, sentinel: { master: main, nodes: ["a:1", "[::1]:2"], credentials: { passwordFile: f } } }',
    '{ cluster: { nodes: ["a:1", "b:2"] } }',
  ])
    it(`takes ${text}`, () => assert.equal(problemsOf(text), ''));

  for (const [title, [text, message]] of Object.entries(refused)) {
    it(`refuses ${title}`, () => {
      const problems = problemsOf(text);
      assert.match(problems, message);
      assert.doesNotMatch(problems, /secret-word/);
    });
  }

  it('reads nodes', () => {
    assert.deepEqual(parseRedisNode('a.b:6379'), { host: 'a.b', port: 6379 });
    assert.deepEqual(parseRedisNode('[::1]:6379'), { host: '::1', port: 6379 });
    assert.equal(parseRedisNode('a:70000'), undefined);
  });
});
