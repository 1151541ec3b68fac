import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findAddressScope } from '../../src/registry/address.ts';
import { findHopFault } from '../../src/registry/hop.ts';

describe('findAddressScope', () => {
  const rows: [hostname: string, scope: string][] = [
    ['ghcr.io', 'public'],
    ['8.8.8.8', 'public'],
    ['[2001:4860:4860::8888]', 'public'],
    ['localhost', 'loopback'],
    ['registry.localhost', 'loopback'],
    ['localhost.', 'loopback'],
    ['127.0.0.1', 'loopback'],
    ['127.200.1.1', 'loopback'],
    ['0.0.0.0', 'loopback'],
    ['[::1]', 'loopback'],
    ['[::]', 'loopback'],
    ['[::ffff:7f00:1]', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['[fd00::1]', 'private'],
    ['[::ffff:a00:1]', 'private'],
    ['[64:ff9b::a00:1]', 'private'],
    ['[64:ff9b::127.0.0.1]', 'loopback'],
    ['[64:ff9b::1]', 'loopback'],
    ['[64:ff9b::8.8.8.8]', 'public'],
    ['64:FF9B:0:0::10.0.0.1', 'private'],
    ['[64:ff9b:1::8.8.8.8]', 'private'],
    ['fe80::1%eth0', 'link-local'],
    ['169.254.169.254', 'link-local'],
    ['[fe80::1]', 'link-local'],
    ['[::ffff:a9fe:a9fe]', 'link-local'],
    ['255.255.255.255', 'link-local'],
  ];
  for (const [hostname, scope] of rows) {
    it(`finds ${hostname} ${scope}`, () => assert.equal(findAddressScope(hostname), scope));
  }
});

describe('findHopFault', () => {
  const rows: [from: string, to: string, fault: RegExp | undefined][] = [
    ['https://ghcr.io/v2/', 'https://ghcr.io/token', undefined],
    ['https://ghcr.io/v2/', 'https://pkg.example.com/blob?sig=1', undefined],
    ['http://registry.corp/v2/', 'https://registry.corp/v2/', undefined],
    ['http://registry.corp/v2/', 'http://registry.corp:8080/token', undefined],
    ['http://10.0.0.5:5000/v2/', 'http://10.0.0.6/blob', undefined],
    ['http://127.0.0.1:5000/v2/', 'http://127.0.0.1:5001/token', undefined],
    ['http://127.0.0.1:5000/v2/', 'https://auth.docker.io/token', undefined],
    ['https://ghcr.io/v2/', 'http://ghcr.io/token', /from https to http/],
    ['https://ghcr.io/v2/', 'https://127.0.0.1/token', /loopback address "127.0.0.1"/],
    ['https://ghcr.io/v2/', 'https://2130706433/token', /loopback/],
    ['https://ghcr.io/v2/', 'https://0x7f.1/token', /loopback/],
    ['https://ghcr.io/v2/', 'https://[::ffff:127.0.0.1]/token', /loopback/],
    ['https://ghcr.io/v2/', 'https://localhost/token', /loopback/],
    ['https://ghcr.io/v2/', 'https://10.0.0.1/token', /private/],
    ['http://registry.corp/v2/', 'http://169.254.169.254/latest/meta-data', /link-local/],
    ['http://127.0.0.1:5000/v2/', 'http://169.254.169.254/latest/meta-data', /link-local/],
    ['http://10.0.0.5/v2/', 'http://127.0.0.1:6379/', /loopback/],
    ['https://ghcr.io/v2/', 'file:///etc/passwd', /scheme is "file:"/],
    ['https://ghcr.io/v2/', 'ftp://ghcr.io/', /scheme is "ftp:"/],
  ];
  for (const [from, to, fault] of rows) {
    it(`${fault === undefined ? 'allows' : 'refuses'} ${from} to ${to}`, () => {
      const found = findHopFault(new URL(from), new URL(to));
      if (fault === undefined) assert.equal(found, undefined);
      else assert.match(found ?? '', fault);
    });
  }

  const trusted = ['http://10.0.0.7:3000', 'https://auth.corp'];
  const trustedRows: [from: string, to: string, fault: RegExp | undefined][] = [
    ['https://registry.corp/v2/', 'http://10.0.0.7:3000/v2/token', undefined],
    ['https://registry.corp/v2/', 'https://auth.corp/token', undefined],
    ['https://registry.corp/v2/', 'http://auth.corp/token', /from https to http/],
    ['http://registry.corp/v2/', 'http://10.0.0.7/v2/token', /private/],
    ['http://registry.corp/v2/', 'http://10.0.0.7:3001/v2/token', /private/],
  ];
  for (const [from, to, fault] of trustedRows) {
    it(`${fault === undefined ? 'allows' : 'refuses'} ${from} to ${to} where ${trusted.join(' and ')} are trusted`, () => {
      const found = findHopFault(new URL(from), new URL(to), trusted);
      if (fault === undefined) assert.equal(found, undefined);
      else assert.match(found ?? '', fault);
    });
  }
});
