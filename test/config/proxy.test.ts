import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findProxy } from '../../src/config/proxy.ts';

const proxy = 'http://proxy.example:3128';
const other = 'http://other.example:3128';

describe('findProxy', () => {
  const rows: [name: string, url: string, env: Record<string, string>, found: string | undefined][] = [
    ['nothing is set', 'https://ghcr.io/v2/', {}, undefined],
    ['HTTPS_PROXY is set', 'https://ghcr.io/v2/', { HTTPS_PROXY: proxy }, proxy],
    ['lower and upper case differ', 'https://ghcr.io/v2/', { https_proxy: proxy, HTTPS_PROXY: other }, proxy],
    ['the lower-case one is empty', 'https://ghcr.io/v2/', { https_proxy: '', HTTPS_PROXY: proxy }, proxy],
    ['only HTTP_PROXY is set for https', 'https://ghcr.io/v2/', { HTTP_PROXY: proxy }, undefined],
    ['HTTP_PROXY is set for http', 'http://registry.example/v2/', { HTTP_PROXY: proxy, HTTPS_PROXY: other }, proxy],
    [
      'HTTP_PROXY may come from a request',
      'http://registry.example/',
      { HTTP_PROXY: proxy, REQUEST_METHOD: 'GET' },
      undefined,
    ],
    [
      'http_proxy cannot come from a request',
      'http://registry.example/',
      { http_proxy: proxy, REQUEST_METHOD: 'GET' },
      proxy,
    ],
    ['ALL_PROXY is set', 'https://ghcr.io/v2/', { ALL_PROXY: proxy }, proxy],
    [
      'all_proxy is set, but for this scheme another',
      'https://ghcr.io/',
      { all_proxy: other, HTTPS_PROXY: proxy },
      proxy,
    ],
    ['no scheme is written', 'https://ghcr.io/v2/', { HTTPS_PROXY: 'proxy.example:3128' }, proxy],
    ['the proxy speaks TLS', 'https://ghcr.io/v2/', { HTTPS_PROXY: 'https://proxy.example/' }, 'https://proxy.example'],
    [
      'it wants a user',
      'https://ghcr.io/',
      { HTTPS_PROXY: 'http://u:p%40@proxy.example' },
      'http://u:p%40@proxy.example',
    ],
  ];
  for (const [name, url, env, found] of rows)
    it(`finds ${found ?? 'none'} where ${name}`, () => assert.equal(findProxy(new URL(url), env), found));

  const straight: [url: string, noProxy: string][] = [
    ['https://ghcr.io/', '*'],
    ['https://ghcr.io/', 'a.example, *'],
    ['https://registry.corp.example/', 'corp.example'],
    ['https://registry.corp.example/', '.corp.example'],
    ['https://registry.corp.example/', '*.corp.example'],
    ['https://corp.example/', 'corp.example'],
    ['https://corp.example/', '.corp.example'],
    ['https://Corp.Example./', 'a.example b.example CORP.example.'],
    ['https://corp.example/', 'corp.example:443'],
    ['http://corp.example/', 'corp.example:80'],
    ['https://corp.example:5000/', 'corp.example:5000'],
    ['https://10.1.2.3/', '10.1.2.3'],
    ['https://10.1.2.3:5000/', '10.1.2.3:5000'],
    ['https://10.1.2.3/', '10.0.0.0/8'],
    ['https://[fd00::1]/', 'fd00:0::1'],
    ['https://[fd00::1]/', '[fd00::1]'],
    ['https://[fd00::1]:5000/', '[fd00::1]:5000'],
    ['https://[fd00::1]/', 'fd00::/8'],
    ['https://localhost/', ''],
    ['http://registry.localhost:5000/', ''],
    ['http://127.0.0.1:5000/', ''],
    ['http://[::1]:5000/', ''],
    ['http://169.254.169.254/latest/api/token', ''],
    ['http://metadata.google.internal/', ''],
  ];
  for (const [url, list] of straight)
    it(`leaves ${url} out by "${list}"`, () =>
      assert.equal(findProxy(new URL(url), { ALL_PROXY: proxy, NO_PROXY: list }), undefined));

  const proxied: [url: string, noProxy: string][] = [
    ['https://evilcorp.example/', 'corp.example'],
    ['https://corp.example.evil/', 'corp.example'],
    ['https://corp.example/', 'registry.corp.example'],
    ['https://corp.example/', 'corp.example:5000'],
    ['https://corp.example:5000/', 'corp.example:443'],
    ['https://11.1.2.3/', '10.0.0.0/8'],
    ['https://10.1.2.3/', '1.2.3'],
    ['https://10.1.2.3/', '10.0.0.0/64'],
    ['https://10.1.2.3/', '10.0.0.0/x'],
    ['https://ten.example/', '10.0.0.0/8'],
    ['https://[fe00::1]/', 'fd00::/8'],
    ['https://ghcr.io/', ', . ,'],
  ];
  for (const [url, list] of proxied)
    it(`does not leave ${url} out by "${list}"`, () =>
      assert.equal(findProxy(new URL(url), { ALL_PROXY: proxy, NO_PROXY: list }), proxy));

  it('lets no_proxy win over NO_PROXY', () =>
    assert.equal(
      findProxy(new URL('https://a.example/'), { ALL_PROXY: proxy, NO_PROXY: '*', no_proxy: 'b.example' }),
      proxy,
    ));

  for (const address of [
    'socks5://u:hunter2@proxy.example',
    'http://u:hunter2@:3128',
    'u:hunter2@',
    'http://u:hunter2@h:x',
  ])
    it(`refuses ${address}, without repeating it`, () =>
      assert.throws(() => findProxy(new URL('https://ghcr.io/'), { HTTPS_PROXY: address }), {
        code: 'ConfigInvalid',
        message: 'Cannot use "HTTPS_PROXY": it holds no address of an HTTP proxy, http://host:port was wanted',
      }));
});
