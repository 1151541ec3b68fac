import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSshAddress, parseSshAddress } from '../../src/address/ssh-address.ts';

describe('parseSshAddress', () => {
  const good: [text: string, user: string, host: string, port: number, path: string][] = [
    ['ssh://git@git.example.com/acme/deploy.git', 'git', 'git.example.com', 22, '/acme/deploy.git'],
    ['ssh://git.example.com/acme/deploy.git', 'git', 'git.example.com', 22, '/acme/deploy.git'],
    ['SSH://Ann@Git.Example.com:2222/x', 'Ann', 'git.example.com', 2222, '/x'],
    ['ssh://git@[::1]:22/x', 'git', '::1', 22, '/x'],
    ['ssh://git@host/~ann/site.git', 'git', 'host', 22, '~ann/site.git'],
    ['ssh://git@host/it%27s%20here/größe.git', 'git', 'host', 22, "/it's here/größe.git"],
    ['ssh://org-1%40github.com@host/x', 'org-1@github.com', 'host', 22, '/x'],
    ['git@github.com:acme/deploy.git', 'git', 'github.com', 22, 'acme/deploy.git'],
    ['git@github.com:/srv/100%25.git', 'git', 'github.com', 22, '/srv/100%25.git'],
    ['git@[fe80::1]:x', 'git', 'fe80::1', 22, 'x'],
  ];
  for (const [text, user, host, port, path] of good) {
    it(`reads ${text}`, () => {
      assert.ok(isSshAddress(text));
      assert.deepEqual(parseSshAddress(text), { value: { user, host, port, path } });
    });
  }

  const bad: [text: string, wanted: RegExp][] = [
    ['ssh://-oProxyCommand=touch%20x/y', /host name/],
    ['ssh://git@-oProxyCommand=x/y', /host name/],
    ['ssh://-oProxyCommand@host/y', /a user/],
    ['-oProxyCommand=x@host:y', /a user/],
    ['git@host:-oProxyCommand', /no dash/],
    ['git@-host:x', /host name/],
    ['git@host:a\nb', /control characters/],
    ['ssh://git@host/a%0ab', /control characters/],
    ['ssh://git@host/a\0b', /control characters/],
    ['ssh://git@host\n/ab', /host name/],
    ['ssh://git:hunter2@host/x', /without a password/],
    ['git:hunter2@host:x', /without a password/],
    ['ssh://git@host:0/x', /a port/],
    ['ssh://git@host:65536/x', /a port/],
    ['ssh://git@host:99999999/x', /ssh:\/\/user@host\/path/],
    ['ssh://git@host', /ssh:\/\/user@host\/path/],
    ['ssh://git@host/', /the path/],
    ['ssh://git@host/~', /the path/],
    ['ssh://git@host/%zz', /ssh:\/\/user@host\/path/],
    ['git@host:', /the path/],
  ];
  for (const [text, wanted] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const reading = parseSshAddress(text);
      assert.ok('wanted' in reading, JSON.stringify(reading));
      assert.match(reading.wanted, wanted);
      assert.doesNotMatch(reading.wanted, /hunter2/);
    });
  }
});

describe('isSshAddress', () => {
  it('leaves folders and web addresses alone', () => {
    for (const text of ['.', '/srv/git@host:x', 'https://git@host:1/x', 'C:\\x', 'host:x', 'a/b@c:d'])
      assert.equal(isSshAddress(text), false, text);
  });
});
