import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { createRegistry, type RegistryOptions } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import { type ForwardProxyOptions, startForwardProxy } from '../services/forward-proxy.ts';
import { openRegistry } from './open-registry.ts';

const { signal } = new AbortController();
const cert = readFileSync(new URL('./tls/localhost-cert.pem', import.meta.url), 'utf8');
const key = readFileSync(new URL('./tls/localhost-key.pem', import.meta.url), 'utf8');
const user = { username: 'ann', password: 'open: sésame@' };
const signIn = `${user.username}:${encodeURIComponent(user.password)}@`;

/** An HTTPS registry that lists one tag; remembers the Proxy-Authorization and the client's name of each request. */
async function openTls(
  t: TestContext,
  settings: HostSettings,
  options: Partial<RegistryOptions> & { server?: ServerOptions } = {},
) {
  const seen: { signIn: string | undefined; client: string | undefined; port: number | undefined }[] = [];
  const { server: serverOptions, ...registryOptions } = options;
  const server = createTlsServer(
    { cert, key, ...serverOptions },
    (request: IncomingMessage, response: ServerResponse) => {
      const { socket, headers } = request;
      const peer =
        'getPeerCertificate' in socket ? (socket as import('node:tls').TLSSocket).getPeerCertificate() : undefined;
      const client = peer?.subject === undefined ? undefined : String(peer.subject.CN);
      seen.push({ signIn: headers['proxy-authorization'], client, port: socket.remotePort });
      response.end('{"tags":["1.0"]}');
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createRegistry({
    hosts: () => ({ plainHttp: false, ...settings }),
    sleep: async () => {},
    ...registryOptions,
  });
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  return { client, seen, repository: { host, path: 'acme/web' } };
}

async function openProxy(t: TestContext, options: ForwardProxyOptions = {}) {
  const proxy = await startForwardProxy(options);
  t.after(() => proxy.close());
  return proxy;
}

describe('a proxy', { concurrency: true }, () => {
  it('is given the whole URL of what is plain, and its sign-in, which ends there', async (t) => {
    const proxy = await openProxy(t, { user });
    const seen: (string | undefined)[] = [];
    const { server, client, repository } = await openRegistry(t, {
      proxy: () => proxy.url.replace('//', `//${signIn}`),
      server: { intercept: ({ headers }) => seen.push(headers['proxy-authorization']) === 0 },
    });
    server.publish('acme/web', '1.0');
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    assert.deepEqual(proxy.requests, [`GET ${server.url}/v2/acme/web/tags/list?n=1000`]);
    assert.equal(proxy.headers[0]?.host, server.host);
    assert.deepEqual(seen, [undefined]);
  });

  it('tunnels what is encrypted, not for each request anew, and the private authority holds behind it', async (t) => {
    const proxy = await openProxy(t, { user });
    const { client, repository, seen } = await openTls(
      t,
      { ca: cert },
      { proxy: () => proxy.url.replace('//', `//${signIn}`) },
    );
    for (let count = 0; count < 6; count += 1) await client.listTags(repository, { signal });
    // undici takes a second connection while the first is not quite done.
    assert.ok(proxy.requests.length <= 2, String(proxy.requests.length));
    assert.equal(proxy.requests[0], `CONNECT ${repository.host}`);
    assert.equal(proxy.headers[0]?.host, repository.host);
    assert.deepEqual(
      seen.map((request) => request.signIn).filter((sent) => sent !== undefined),
      [],
    );
    assert.ok(new Set(seen.map(({ port }) => port)).size <= 2);
  });

  it('is asked for port 443 where the URL names none', async (t) => {
    const proxy = await openProxy(t, { refuse: 403 });
    const client = createRegistry({ hosts: () => ({}), proxy: () => proxy.url });
    t.after(() => client.close());
    const repository = { host: 'registry.example', path: 'acme/web' };
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: `Cannot list the tags of "registry.example/acme/web": the proxy "${proxy.host}" gives no way there (403), an answer of "registry.example" was wanted`,
    });
    assert.deepEqual(proxy.requests, ['CONNECT registry.example:443']);
  });

  it('may leave hosts out', async (t) => {
    const proxy = await openProxy(t);
    const { server, client, repository } = await openRegistry(t, {
      proxy: ({ host }) => (host === server.host ? undefined : proxy.url),
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    assert.deepEqual(proxy.requests, []);
  });

  for (const isPlain of [true, false]) {
    const to = isPlain ? 'plain HTTP' : 'HTTPS';
    const open = async (t: TestContext, proxy: string) =>
      isPlain ? openRegistry(t, { proxy: () => proxy }) : openTls(t, { ca: cert }, { proxy: () => proxy });

    it(`that wants another sign-in is named, without the password, for ${to}`, async (t) => {
      const proxy = await openProxy(t, { user: { username: 'x', password: 'y' } });
      const { client, repository } = await open(t, proxy.url.replace('//', `//${signIn}`));
      const error = await client.listTags(repository, { signal }).catch((reason) => reason);
      assert.equal(error.code, 'RegistryUnavailable');
      assert.match(error.message, new RegExp(`the proxy "${proxy.host}" wants another sign-in \\(407\\)`));
      assert.match(error.remedy, /HTTPS_PROXY/);
      const basic = Buffer.from(`${user.username}:${user.password}`).toString('base64');
      const printed = inspect(error, { depth: 10, showHidden: true });
      for (const secret of [user.password, encodeURIComponent(user.password), basic])
        assert.ok(!printed.includes(secret));
      assert.equal(proxy.requests.length, 1, 'another try would lead nowhere');
    });

    it(`that is down is named, for ${to}`, async (t) => {
      const proxy = await startForwardProxy();
      await proxy.close();
      const { client, repository } = await open(t, proxy.url);
      await assert.rejects(client.listTags(repository, { signal }), {
        code: 'RegistryUnavailable',
        message: new RegExp(`the proxy is not reached, the connection was refused \\(${proxy.host}, ECONNREFUSED\\)`),
      });
    });

    it(`over TLS is trusted by the well-known roots alone, for ${to}`, async (t) => {
      const proxy = await openProxy(t, { tls: { cert, key } });
      const { client, repository } = await open(t, proxy.url);
      await assert.rejects(client.listTags(repository, { signal }), {
        code: 'RegistryUnavailable',
        message: /the proxy is not reached, its TLS certificate is not trusted/,
        remedy: /HTTPS_PROXY/,
      });
      assert.deepEqual(proxy.requests, []);
    });
  }

  it('does not make a registry trusted that is not', async (t) => {
    const proxy = await openProxy(t);
    const { client, repository } = await openTls(t, {}, { proxy: () => proxy.url });
    await assert.rejects(client.listTags(repository, { signal }), {
      message: /: its TLS certificate is not trusted \(127\.0\.0\.1/,
      remedy: /caFile/,
    });
  });

  it('of a kind that is not known is refused, without its address', async (t) => {
    const { client, repository } = await openRegistry(t, { proxy: () => 'socks5://ann:hunter2@proxy.example' });
    const error = await client.listTags(repository, { signal }).catch((reason) => reason);
    assert.equal(error.code, 'ConfigInvalid');
    assert.doesNotMatch(inspect(error), /hunter2|proxy\.example/);
  });
});

describe('a client certificate', () => {
  const server = { requestCert: true, ca: cert };
  const clientCertificate = { cert, key };

  it('is shown to the host', async (t) => {
    const { client, repository, seen } = await openTls(t, { ca: cert, clientCertificate }, { server });
    await client.listTags(repository, { signal });
    assert.deepEqual(
      seen.map((request) => request.client),
      ['tallyman test'],
    );
  });

  it('is shown to the host behind a proxy', async (t) => {
    const proxy = await openProxy(t);
    const { client, repository, seen } = await openTls(
      t,
      { ca: cert, clientCertificate },
      { server, proxy: () => proxy.url },
    );
    await client.listTags(repository, { signal });
    assert.deepEqual(
      seen.map((request) => request.client),
      ['tallyman test'],
    );
  });

  for (const isTrusted of [false, true]) {
    it(`is ${isTrusted ? '' : 'not '}shown to another host that is ${isTrusted ? '' : 'not '}trusted`, async (t) => {
      const other = await openTls(t, {}, { server: { ...server, rejectUnauthorized: false } });
      const port = other.repository.host.split(':')[1];
      const trustedOrigins = isTrusted ? [`https://localhost:${port}`] : [];
      const {
        server: registry,
        client,
        repository,
      } = await openRegistry(t, {
        settings: { ca: cert, clientCertificate, trustedOrigins },
        server: {
          intercept: ({ url }, response) => {
            response.writeHead(307, { location: `https://localhost:${port}${url}` }).end();
            return true;
          },
        },
      });
      await client.listTags(repository, { signal });
      assert.equal(registry.requests.length, 1);
      assert.deepEqual(
        other.seen.map((request) => request.client),
        [isTrusted ? 'tallyman test' : undefined],
      );
    });
  }

  it('is not shown to another port of the host', async (t) => {
    const other = await openTls(t, {}, { server: { ...server, rejectUnauthorized: false } });
    const { client, repository } = await openRegistry(t, {
      settings: { ca: cert, clientCertificate },
      server: {
        intercept: ({ url }, response) => {
          response.writeHead(307, { location: `https://${other.repository.host}${url}` }).end();
          return true;
        },
      },
    });
    await client.listTags(repository, { signal });
    assert.deepEqual(
      other.seen.map((request) => request.client),
      [undefined],
    );
  });

  it('that cannot be read is told, without what it is made of', async (t) => {
    const { client, repository } = await openTls(t, { clientCertificate: { cert, key: 'hunter2' } });
    const error = await client.listTags(repository, { signal }).catch((reason) => reason);
    assert.equal(error.code, 'ConfigInvalid');
    assert.match(error.message, /its certificates or key cannot be read/);
    assert.doesNotMatch(inspect(error, { showHidden: true }), /hunter2/);
  });
});
