import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseChallenges, selectChallenge } from '../../src/registry/challenge.ts';

type Row = [name: string, header: string, challenges: [scheme: string, parameters: Record<string, string>][]];

const rows: Row[] = [
  [
    'Docker Hub',
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
    [
      [
        'bearer',
        { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull' },
      ],
    ],
  ],
  ['docker-registry with htpasswd', 'Basic realm="test"', [['basic', { realm: 'test' }]]],
  [
    'Forgejo: Bearer and Basic in one header',
    'Bearer realm="https://codeberg.org/v2/token",service="container_registry",scope="*",Basic realm="https://codeberg.org"',
    [
      ['bearer', { realm: 'https://codeberg.org/v2/token', service: 'container_registry', scope: '*' }],
      ['basic', { realm: 'https://codeberg.org' }],
    ],
  ],
  [
    'an empty quoted value in the middle',
    'Bearer realm="https://x/token",scope="",service="s"',
    [['bearer', { realm: 'https://x/token', scope: '', service: 's' }]],
  ],
  [
    'scheme and names in any case, values as they are',
    'BEARER Realm="https://x/Token/ABC",SERVICE="MyService"',
    [['bearer', { realm: 'https://x/Token/ABC', service: 'MyService' }]],
  ],
  ['no service', 'Bearer realm="/token"', [['bearer', { realm: '/token' }]]],
  [
    'Negotiate with a token before Basic',
    'Negotiate YIIabc==, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'a bare scheme before another',
    'Negotiate, NTLM, Basic realm="x"',
    [
      ['negotiate', {}],
      ['ntlm', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'commas and equals signs in a value',
    'Bearer realm="https://x/?a=b,c=d"',
    [['bearer', { realm: 'https://x/?a=b,c=d' }]],
  ],
  ['escaped quotes', 'Basic realm="a \\"b\\" \\\\c"', [['basic', { realm: 'a "b" \\c' }]]],
  [
    'values without quotes',
    'Bearer realm=https://x/token, service=s',
    [['bearer', { realm: 'https://x/token', service: 's' }]],
  ],
  ['spaces around the equals sign', 'Bearer realm = "x" , service= "s"', [['bearer', { realm: 'x', service: 's' }]]],
  ['a lost closing quote', 'Bearer realm="https://x/token', [['bearer', { realm: 'https://x/token' }]]],
  ['the first of two equal names counts', 'Bearer realm="a",realm="b"', [['bearer', { realm: 'a' }]]],
  ['a parameter without a scheme', 'realm="x"', []],
  ['nothing', '', []],
  ['rubbish', '"", ;;; <>', []],
];

describe('parseChallenges', () => {
  for (const [name, header, challenges] of rows) {
    it(`reads ${name}`, () => {
      assert.deepEqual(
        parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
        challenges,
      );
    });
  }

  it('ends on any text, and soon', () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseChallenges(text))));
    for (const text of [
      'a '.repeat(8000),
      '"'.repeat(16_000),
      `Basic ${'a'.repeat(16_000)}!`,
      `a="${'\\'.repeat(16_001)}`,
    ]) {
      const before = process.cpuUsage();
      parseChallenges(text);
      assert.ok(process.cpuUsage(before).user < 500_000);
    }
  });
});

describe('selectChallenge', () => {
  const select = (header: string) => selectChallenge(parseChallenges(header))?.scheme;

  it('takes Bearer before Basic, skips what it cannot answer', () => {
    assert.equal(select('Basic realm="x", Bearer realm="https://x"'), 'bearer');
    assert.equal(select('Negotiate, Basic realm="x"'), 'basic');
    assert.equal(select('Bearer service="s", Basic realm="x"'), 'basic');
    assert.equal(select('Basic'), 'basic');
    assert.equal(select('Negotiate'), undefined);
  });
});
