import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createRegistry } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import type { Limits } from '../../src/registry/limits.ts';
import { openRegistry, sendJson } from './open-registry.ts';

const { signal } = new AbortController();
/** undici looks at its clock about once a second, so these are tried once only. */
const stalls = { headersMs: 100, bodyMs: 100, maxTries: 1 };
const cert = readFileSync(new URL('./tls/localhost-cert.pem', import.meta.url), 'utf8');
const key = readFileSync(new URL('./tls/localhost-key.pem', import.meta.url), 'utf8');

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;
const wait = (waitMs: number): Promise<void> => new Promise((done) => setTimeout(done, waitMs));

describe('a registry that misbehaves', { concurrency: true }, () => {
  const rows: [name: string, answer: Answer, code: string, found: RegExp, tries: number, limits?: Partial<Limits>][] = [
    ['never answers', () => {}, 'RegistryUnavailable', /no answer began in time .*UND_ERR_HEADERS_TIMEOUT/, 1, stalls],
    [
      'stops in the middle of a body',
      (_, response) => response.writeHead(200, { 'content-length': 100 }).write('{"tags":["1.0"'),
      'RegistryUnavailable',
      /stopped half-way .*UND_ERR_BODY_TIMEOUT/,
      1,
      stalls,
    ],
    [
      'cuts the connection before the end of a body',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('{"tags":["1.0"]}');
        setTimeout(() => response.destroy(), 10);
      },
      'RegistryUnavailable',
      /connection was cut/,
      3,
    ],
    [
      'cuts a chunked body short, though it is whole JSON',
      (_, response) => {
        response.write('{"tags":["1.0"]}');
        setTimeout(() => response.destroy(), 10);
      },
      'RegistryUnavailable',
      /connection was cut/,
      3,
    ],
    [
      'cuts the connection at once',
      (request) => request.socket.destroy(),
      'RegistryUnavailable',
      /connection was cut/,
      3,
    ],
    [
      'sends a body for ever, drop by drop',
      (_, response) => {
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
      'RegistryUnavailable',
      /no whole answer came from "127\.0\.0\.1:\d+" within 1 s/,
      3,
      { attemptMs: 1000 },
    ],
    [
      'sends a body beyond all measure',
      (_, response) => {
        const chunk = Buffer.alloc(64 * 1024, ' ');
        const push = (): void => {
          if (!response.destroyed && response.write(chunk)) setImmediate(push);
          else response.once('drain', push);
        };
        push();
      },
      'RegistryInvalid',
      /too long, at most 1000000 bytes were wanted/,
      1,
      { maxTagPageBytes: 1_000_000 },
    ],
    [
      'packs what was to be plain in a way that few know',
      (_, response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x'),
      'RegistryInvalid',
      /packed as "br", plain bytes were wanted/,
      1,
    ],
    [
      'sends endless headers',
      (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(100_000) }).end('{}'),
      'RegistryInvalid',
      /headers are too long/,
      1,
    ],
    ['is overloaded', (_, response) => response.writeHead(503).end(), 'RegistryUnavailable', /answered 503/, 3],
    [
      'sends a very long error page',
      (_, response) => response.writeHead(418).end('x'.repeat(3_000_000)),
      'RegistryInvalid',
      /answered 418, 200 was wanted/,
      2,
    ],
    [
      'redirects for ever',
      ({ url }, response) => response.writeHead(302, { location: url }).end(),
      'RegistryInvalid',
      /redirects more than 5 times/,
      6,
    ],
    ['redirects to nowhere', (_, response) => response.writeHead(302).end(), 'RegistryInvalid', /names no URL/, 1],
    [
      'redirects to a metadata server',
      (_, response) => response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
      'RegistryInvalid',
      /link-local address "169\.254\.169\.254"/,
      1,
    ],
    [
      'redirects to a file',
      (_, response) => response.writeHead(307, { location: 'file:///etc/passwd' }).end(),
      'RegistryInvalid',
      /scheme is "file:"/,
      1,
    ],
  ];
  for (const [name, answer, code, found, tries, limits = {}] of rows) {
    it(`ends one that ${name}`, async (t) => {
      const { server, client, repository, waits } = await openRegistry(t, {
        limits,
        server: {
          intercept: (request, response) => {
            answer(request, response);
            return true;
          },
        },
      });
      await assert.rejects(client.listTags(repository, { signal }), { code, message: found });
      assert.equal(server.requests.length, tries);
      assert.deepEqual(waits, tries === 3 ? [1000, 2000] : []);
    });
  }

  it('says what it speaks where that is no HTTP', async (t) => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const { client, repository } = await openTcp(t, server);
    await assert.rejects(client.listTags(repository, { signal }), { code: 'RegistryInvalid', message: /not HTTP/ });
  });

  it('says that no one listens', async (t) => {
    const { client, repository, server } = await openRegistry(t);
    await server.close();
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: `Cannot list the tags of "${repository.host}/acme/web": the connection was refused (${repository.host}, ECONNREFUSED), an answer was wanted`,
    });
  });

  it('is quoted when it warns, once', async (t) => {
    const { server, client, repository, events } = await openRegistry(t, {
      server: {
        intercept: (_, response) => {
          response.setHeader('warning', '299 - "This registry\tcloses in May"');
          return false;
        },
      },
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    await client.listTags(repository, { signal });
    assert.deepEqual(events, [{ kind: 'warning', host: repository.host, text: 'This registry closes in May' }]);
  });

  it('goes on after a hiccup, and says that it waited', async (t) => {
    let count = 0;
    const { server, client, repository, events, waits } = await openRegistry(t, {
      server: {
        intercept: (_, response) => {
          count += 1;
          return count < 3 && sendJson(response, {}, { status: 429, headers: { 'retry-after': '3' } });
        },
      },
    });
    server.publish('acme/web', '1.0');
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    assert.deepEqual(waits, [3000, 3000]);
    const task = `list the tags of "${repository.host}/acme/web"`;
    const { host } = repository;
    const told = [
      { kind: 'throttled', host, waitMs: 3000 },
      { kind: 'retry', host, task, waitMs: 3000 },
    ];
    assert.deepEqual(events, [...told, ...told]);
  });
});

describe('redirects', () => {
  it('are followed, with the sign-in only on the same origin', async (t) => {
    const seen: (string | undefined)[] = [];
    const credential = { username: 'tally', password: 'open sesame' };
    const other = await openRegistry(t, {
      server: { intercept: ({ headers }) => seen.push(headers.authorization) === 0 },
    });
    other.server.publish('acme/web', 'elsewhere');
    const { client, repository, server } = await openRegistry(t, {
      settings: { credential },
      server: {
        auth: 'basic',
        intercept: ({ url = '', headers }, response) => {
          if (headers.authorization === undefined) return false;
          const location = url.startsWith('/moved') ? `${other.server.url}/v2/acme/web/tags/list` : `/moved${url}`;
          response.writeHead(307, { location }).end();
          return true;
        },
      },
    });
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['elsewhere']);
    assert.ok(server.requests.at(-1)?.url.startsWith('/moved'));
    assert.ok(server.requests.at(-1)?.authorization?.startsWith('Basic '));
    assert.deepEqual(seen, [undefined]);
  });
});

describe('an abort', () => {
  it('ends a request with its own reason', async (t) => {
    const { client, repository } = await openRegistry(t, { server: { intercept: () => true } });
    const controller = new AbortController();
    const listing = client.listTags(repository, { signal: controller.signal });
    await wait(30);
    controller.abort(new Error('shutting down'));
    await assert.rejects(listing, { message: 'shutting down' });
    await assert.rejects(client.listTags(repository, { signal: controller.signal }), { message: 'shutting down' });
  });

  it('ends a wait between tries', async (t) => {
    const controller = new AbortController();
    const { server } = await openRegistry(t, {
      server: { intercept: (_, response) => sendJson(response, {}, { status: 503 }) },
    });
    const client = createRegistry({ hosts: () => ({}), log: () => controller.abort(new Error('shutting down')) });
    t.after(() => client.close());
    const repository = { host: server.host, path: 'acme/web' };
    await assert.rejects(client.listTags(repository, { signal: controller.signal }), { message: 'shutting down' });
    assert.equal(server.requests.length, 1);
  });

  it('of the whole call comes when it takes too long', async (t) => {
    const { client, repository } = await openRegistry(t, {
      server: { intercept: () => true },
      limits: { operationMs: 50 },
    });
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: /it is not done after 0\.05 s/,
    });
  });

  it('leaves no listener behind on a signal that lives long', async (t) => {
    const warnings: string[] = [];
    const remember = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', remember);
    t.after(() => process.off('warning', remember));
    const { server, client, repository } = await openRegistry(t);
    server.publish('acme/web', '1.0');
    await Promise.all(Array.from({ length: 100 }, () => client.listTags(repository, { signal })));
    assert.equal(server.requests.length, 100);
    assert.deepEqual(warnings, []);
  });
});

describe('TLS', () => {
  const list: Answer = (_, response) => response.end('{"tags":["1.0"]}');

  it('trusts the certificates given, besides the others', async (t) => {
    const { client, repository } = await openTls(t, list, { ca: cert });
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
  });

  it('trusts no others, and says what to do', async (t) => {
    const { client, repository, waits } = await openTls(t, list, {});
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: /certificate is not trusted .*DEPTH_ZERO_SELF_SIGNED_CERT/,
      remedy: /`caFile`/,
    });
    assert.deepEqual(waits, []);
  });

  it('never falls back to plain HTTP', async (t) => {
    const plain = await openRegistry(t);
    plain.server.publish('acme/web', '1.0');
    const redirect: Answer = ({ url }, response) =>
      response.writeHead(302, { location: `${plain.server.url}${url}` }).end();
    const { client, repository } = await openTls(t, redirect, { ca: cert });
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryInvalid',
      message: /https to http/,
    });
    assert.equal(plain.server.requests.length, 0);
  });

  it('is missed where the host speaks plain HTTP', async (t) => {
    const { client, repository } = await openRegistry(t, { settings: { plainHttp: false } });
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: /speaks no TLS/,
      remedy: /plainHttp/,
    });
  });
});

async function openTls(t: TestContext, answer: Answer, settings: HostSettings) {
  const server = createTlsServer({ cert, key }, answer);
  return openTcp(t, server, { plainHttp: false, ...settings });
}

async function openTcp(t: TestContext, server: ReturnType<typeof createTcpServer>, settings: HostSettings = {}) {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const waits: number[] = [];
  const client = createRegistry({
    hosts: () => settings,
    sleep: async (waitMs) => {
      waits.push(waitMs);
    },
  });
  t.after(async () => {
    await client.close();
    server.close();
  });
  return {
    client,
    waits,
    repository: { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, path: 'acme/web' },
  };
}
