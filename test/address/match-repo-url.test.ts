import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesRepoUrl } from '../../src/address/match-repo-url.ts';

const rows: readonly [configured: string, same: readonly string[], other: readonly string[]][] = [
  [
    'https://git.example/acme/deploy.git',
    [
      'https://git.example/acme/deploy',
      'https://git.example/acme/deploy/',
      'https://git.example:443/acme/deploy.git/',
      'https://bot:secret@GIT.Example./acme/deploy',
      'http://git.example/acme/deploy.git',
      'http://git.example:3000/acme/deploy.git',
      'git@git.example:acme/deploy.git',
      'git.example:acme/deploy',
      'other@git.example:/acme/deploy.git',
      'ssh://git@git.example/acme/deploy.git',
      'ssh://git@git.example:2222/acme/deploy.git',
      'git+ssh://git@git.example/acme/deploy.git',
      'git://git.example/acme/deploy.git',
      'https://git.example/Acme/Deploy',
      'https://git.example//acme/%64eploy',
    ],
    [
      'https://git.example:8443/acme/deploy.git',
      'https://git.example/acme/deploy-2',
      'https://git.example/acme',
      'https://git.example/other/acme/deploy.git',
      'https://evil.example/acme/deploy.git',
      'https://git.example.evil.example/acme/deploy.git',
      'git@evil.example:acme/deploy.git',
      'https://git.example/',
      'https://git.example',
      'acme/deploy',
      '',
      '%',
      'https://',
    ],
  ],
  [
    'http://127.0.0.1:3000/tally/déploy',
    ['http://127.0.0.1:3000/tally/d%C3%A9ploy.git', 'http://127.0.0.1:3000/tally/de\u0301ploy'],
    ['http://127.0.0.1:3001/tally/déploy'],
  ],
  ['https://[::1]:3000/a/b', ['https://[::1]:3000/a/b.git', 'git@[::1]:a/b.git'], ['https://[::2]:3000/a/b']],
  ['/srv/deploy.git', ['/srv/deploy', 'file:///srv/deploy.git'], ['/srv/other', 'https://git.example/srv/deploy']],
  ['https://git.example/a%zz', ['https://git.example/a%zz.git'], []],
];

describe('matchesRepoUrl', () => {
  for (const [configured, same, other] of rows) {
    for (const sent of same) it(`${sent} is ${configured}`, () => assert.equal(matchesRepoUrl(sent, configured), true));
    for (const sent of other)
      it(`${sent} is not ${configured}`, () => assert.equal(matchesRepoUrl(sent, configured), false));
  }

  it('takes its time from the length alone', () => {
    const start = performance.now();
    for (const sign of ['/', '@', ':', '%', 'a', '[', '.git'])
      matchesRepoUrl(sign.repeat(2048), 'https://git.example/a');
    assert.ok(performance.now() - start < 200);
  });
});
