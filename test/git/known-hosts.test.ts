import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findKnownKeys, formatFingerprint, judgeHostKey } from '../../src/git/known-hosts.ts';
import { makeSshKey } from '../services/ssh-server.ts';
import { withFolder } from './workshop.ts';

const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const line = (hosts: string): string => `${hosts} ssh-ed25519 ${key} a comment`;
const bytes = Buffer.from(key, 'base64');
const standard = { host: 'git.example.com', port: 22 };
const other = { host: 'git.example.com', port: 2222 };

describe('known hosts', () => {
  const rows: [name: string, text: string, server: { host: string; port: number }, verdict: string][] = [
    ['a name', line('git.example.com'), standard, 'known'],
    ['a name in capitals', line('GIT.Example.com'), standard, 'known'],
    ['one of several', line('a,git.example.com,10.0.0.1'), standard, 'known'],
    ['another name', line('git.example.org'), standard, 'unknown'],
    ['a part of the name', line('example.com'), standard, 'unknown'],
    ['a wildcard', line('*.example.com'), standard, 'known'],
    ['a question mark', line('gi?.example.com'), standard, 'known'],
    ['many stars', line(`${'*'.repeat(30)}x`), standard, 'unknown'],
    ['a name that is left out', line('*.example.com,!git.example.com'), standard, 'unknown'],
    ['a port', line('[git.example.com]:2222'), other, 'known'],
    ['another port', line('[git.example.com]:2223'), other, 'unknown'],
    ['a name without the port', line('git.example.com'), other, 'unknown'],
    ["a port for SSH's own", line('[git.example.com]:2222'), standard, 'unknown'],
    ['a revoked key', `${line('git.example.com')}\n@revoked ${line('*')}`, standard, 'revoked'],
    ['an authority', `@cert-authority ${line('*.example.com')}`, standard, 'authority'],
    ['an unknown marker', `@else ${line('*')}`, standard, 'unknown'],
    ['a comment', `# ${line('git.example.com')}`, standard, 'unknown'],
    ['Windows line ends, tabs', `\r\n ${line('git.example.com').replaceAll(' ', '\t')}\r\n`, standard, 'known'],
    ["a type that is not the key's", `git.example.com ssh-rsa ${key}`, standard, 'unknown'],
    ['damaged lines', `git.example.com\ngit.example.com ssh-ed25519 !!\n|1|x\n${line('|2|a|b')}`, standard, 'unknown'],
    ['another key', line('git.example.com').replace('AAAA a', 'AAAB a'), standard, 'changed'],
  ];
  for (const [name, text, server, verdict] of rows)
    it(`judges ${name}`, () => assert.equal(judgeHostKey(findKnownKeys(text, server), bytes), verdict));

  it('reads what ssh-keygen has hashed, and shows the fingerprint that it shows', () =>
    withFolder((folder) => {
      const file = join(folder, 'known_hosts');
      const { publicKey, file: keyFile } = makeSshKey(folder, 'ecdsa');
      writeFileSync(file, `[git.example.com]:2222 ${publicKey}\n`);
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
      const text = readFileSync(file, 'utf8');
      assert.match(text, /^\|1\|/);
      const shown = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
      assert.equal(judgeHostKey(findKnownKeys(text, other), shown), 'known');
      assert.equal(judgeHostKey(findKnownKeys(text, standard), shown), 'unknown');
      assert.ok(execFileSync('ssh-keygen', ['-l', '-f', keyFile]).toString().includes(formatFingerprint(shown)));
    }));
});
