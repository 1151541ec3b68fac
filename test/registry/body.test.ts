import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { createHttpClient, type HttpRequest } from '../../src/registry/http.ts';
import { defaultLimits } from '../../src/registry/limits.ts';
import { startRegistryServer } from '../services/registry-server.ts';
import { openRegistry } from './open-registry.ts';

const { signal } = new AbortController();
const text = JSON.stringify({ tags: Array.from({ length: 5000 }, (_, index) => `1.${index}`) });

/** One exchange with a server that answers as told. */
async function send(t: TestContext, answer: (response: ServerResponse) => unknown, request: Partial<HttpRequest> = {}) {
  const server = await startRegistryServer({
    intercept: (_, response) => {
      answer(response);
      return true;
    },
  });
  const client = createHttpClient({ limits: defaultLimits });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  const outcome = await client.exchange({
    host: { name: server.host, origin: server.url, settings: {}, credential: undefined },
    url: new URL('/v2/', server.url),
    accept: '*/*',
    maxBodyBytes: 1_000_000,
    task: 'look',
    signal,
    ...request,
  });
  return { outcome, server };
}

describe('a packed answer', () => {
  const rows: [name: string, encoding: string, bytes: Buffer][] = [
    ['gzip', 'gzip', gzipSync(text)],
    ['gzip under its old name', ' X-Gzip', gzipSync(text)],
    ['gzip of nothing', 'gzip', gzipSync('')],
    ['nothing at all under the name of gzip', 'gzip', Buffer.alloc(0)],
    ['deflate', 'deflate', deflateSync(text)],
    ['deflate as some servers understand it', 'deflate', deflateRawSync(text)],
    ['identity', 'identity', Buffer.from(text)],
  ];
  for (const [name, encoding, bytes] of rows) {
    it(`is read: ${name}`, async (t) => {
      const { outcome } = await send(t, (response) =>
        response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length }).end(bytes),
      );
      assert.ok(outcome.kind === 'answered', JSON.stringify(outcome));
      assert.equal(outcome.answer.body.toString(), bytes.length < 30 ? '' : text);
    });
  }

  it('is measured unpacked, and no further than the limit', async (t) => {
    let sentBytes = 0;
    const { outcome } = await send(
      t,
      (response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        const gzip = createGzip();
        const zeros = Buffer.alloc(1024 * 1024);
        // One hundredth of what it unpacks to at the least, for ever.
        const feed = (): void => {
          if (!response.destroyed) gzip.write(zeros, feed);
        };
        gzip.on('data', (chunk: Buffer) => {
          sentBytes += chunk.length;
        });
        gzip.pipe(response);
        feed();
      },
      { maxBodyBytes: 100_000 },
    );
    assert.ok(outcome.kind === 'failed');
    assert.equal(outcome.error.code, 'RegistryInvalid');
    assert.match(outcome.error.message, /too long, at most 100000 bytes were wanted/);
    assert.ok(sentBytes < 1_000_000, `${sentBytes} bytes were taken`);
  });

  for (const [name, bytes] of [
    ['damaged', Buffer.concat([gzipSync(text).subarray(0, 50), Buffer.alloc(500, 1)])],
    ['cut short', gzipSync(text).subarray(0, 500)],
    ['not packed', Buffer.from(text)],
  ] as const) {
    it(`is refused when it is ${name}`, async (t) => {
      const { outcome } = await send(t, (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes),
      );
      assert.ok(outcome.kind === 'failed');
      assert.equal(outcome.error.code, 'RegistryInvalid');
      assert.match(outcome.error.message, /packed wrongly/);
    });
  }

  it('whose connection is cut may come whole another time', async (t) => {
    const { outcome } = await send(t, (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).write(gzipSync(text).subarray(0, 500));
      setTimeout(() => response.destroy(), 10);
    });
    assert.ok(outcome.kind === 'failed');
    assert.match(outcome.error.message, /connection was cut/);
    assert.ok(outcome.transient);
  });

  it('gives the digest of what is packed', async (t) => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
      layers: [],
    });
    const { client, repository } = await openRegistry(t, {
      server: {
        intercept: (_, response) => {
          const type = 'application/vnd.oci.image.manifest.v1+json';
          response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': type }).end(gzipSync(manifest));
          return true;
        },
      },
    });
    const { digest } = await client.fetchManifest(repository, '1.0', { signal });
    assert.equal(digest, `sha256:${createHash('sha256').update(manifest).digest('hex')}`);
  });

  const error = JSON.stringify({ errors: [{ code: 'DENIED', message: 'no' }] });
  const errorRows: [name: string, encoding: string, bytes: Buffer, said: string][] = [
    ['that is an error is read', 'gzip', gzipSync(error), 'DENIED: no'],
    ['that is an error stays one when it is damaged', 'gzip', Buffer.from(error), ''],
    ['that is an error stays one when nobody knows the packing', 'br', brotliCompressSync(error), ''],
  ];
  for (const [name, encoding, bytes, said] of errorRows) {
    it(name, async (t) => {
      const { outcome } = await send(t, (response) =>
        response.writeHead(403, { 'content-encoding': encoding }).end(bytes),
      );
      assert.ok(outcome.kind === 'answered');
      assert.equal(outcome.answer.status, 403);
      assert.equal(outcome.answer.complaint.text, said);
    });
  }
});

describe('HEAD', () => {
  for (const status of [200, 404]) {
    it(`has no body, whatever the headers promise, with ${status}`, async (t) => {
      const headers = { 'content-length': 5_000_000, 'content-encoding': 'br', 'docker-content-digest': 'sha256:1' };
      const { outcome, server } = await send(t, (response) => response.writeHead(status, headers).end(), {
        method: 'HEAD',
        maxBodyBytes: 10,
      });
      assert.ok(outcome.kind === 'answered', JSON.stringify(outcome));
      assert.equal(outcome.answer.status, status);
      assert.equal(outcome.answer.body.length, 0);
      assert.equal(outcome.answer.headers['docker-content-digest'], 'sha256:1');
      assert.equal(outcome.answer.complaint.text, '');
      assert.equal(server.requests[0]?.method, 'HEAD');
    });
  }
});

for (const method of ['POST', 'PUT'] as const) {
  describe(method, () => {
    for (const status of [302, 307, 308]) {
      it(`is not redirected by ${status}`, async (t) => {
        const { outcome, server } = await send(
          t,
          (response) => response.writeHead(status, { location: '/elsewhere' }).end(),
          { method, body: 'password=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        );
        assert.ok(outcome.kind === 'answered');
        assert.equal(outcome.answer.status, status);
        assert.equal(server.requests.length, 1);
      });
    }
  });
}
