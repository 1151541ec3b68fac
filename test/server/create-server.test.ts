import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createServer } from '../../src/server/create-server.ts';
import { openServer, push, sign } from './open-server.ts';

async function open(t: TestContext, requestMs?: number) {
  const server = await openServer(requestMs);
  t.after(() => server.close());
  return server;
}

/** Sends the bytes as they are; all that comes back until the server ends it. */
function talk(url: string, text: string): { socket: Socket; answer: Promise<string> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let said = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  return { socket, answer: new Promise((resolve) => socket.on('close', () => resolve(said))) };
}

describe('the server', () => {
  it('answers probes: alive at once, ready after the first passes', async (t) => {
    const { url, now } = await open(t);
    const ask = async (path: string, method = 'GET') => (await fetch(url + path, { method })).status;
    assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [200, 503]);
    now.ready = true;
    assert.deepEqual(
      [await ask('/readyz'), await ask('/readyz', 'HEAD'), await ask('/readyz?verbose')],
      [200, 200, 200],
    );
    now.stalled = 'a pass has been under way for 9 s';
    const stalled = await fetch(`${url}/healthz`);
    assert.deepEqual([stalled.status, await stalled.json()], [503, { status: now.stalled }]);
  });

  it('shows metrics as they are rendered, and counts deliveries by what was answered', async (t) => {
    const { url, post, now } = await open(t);
    const shown = await fetch(`${url}/metrics`);
    assert.deepEqual(
      [shown.status, shown.headers.get('content-type'), await shown.text()],
      [200, 'text/plain; version=0.0.4', 'tallyman_x 1\n'],
    );
    await post('/webhooks/generic', push, sign(push));
    await post('/webhooks/generic', push, sign(push, 'guessed'));
    await post('/webhooks/generic', ' '.repeat(1024 * 1024 + 1));
    await post('/webhooks/made-up', push);
    assert.deepEqual(
      now.told,
      ['202', '401', '413'].map((status) => `tallyman_webhook_deliveries_total generic ${status}`),
    );
  });

  it('knows its paths and methods', async (t) => {
    const { url, post, hints } = await open(t);
    for (const path of [
      '/',
      '/webhooks',
      '/webhooks/',
      '/webhooks/other',
      '/webhooks/generic/',
      '/webhooks/../healthz/x',
      '/__proto__',
    ])
      assert.equal((await post(path, push, sign(push))).status, 404, path);
    const wrong = await fetch(`${url}/webhooks/generic`);
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
    assert.equal((await post('/healthz', '')).status, 405);
    assert.deepEqual(hints, []);
  });

  it('takes what is signed, answers shortly, and says what becomes of it', async (t) => {
    const { post, hints, lines, now } = await open(t);
    const answer = await post('/webhooks/generic?x=1', push, sign(push));
    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.deepEqual(await answer.json(), { result: 'accepted', repos: 1 });
    assert.deepEqual(hints, [
      { kind: 'push', repoUrls: ['https://git.example/acme/deploy'], branch: 'main', defaultBranch: undefined },
    ]);
    now.repos = 0;
    assert.deepEqual(await (await post('/webhooks/generic', push, sign(push))).json(), {
      result: 'ignored',
      reason: 'nothing that is watched',
    });
    const tag = push.replace('heads', 'tags');
    const ignored = await post('/webhooks/generic', tag, sign(tag));
    assert.deepEqual([ignored.status, await ignored.json()], [200, { result: 'ignored', reason: 'not a branch' }]);
    assert.match(lines.join('\n'), /^info webhook "generic": looking now/);
  });

  it('refuses a body that is longer than 1 MiB, with a length and without', async (t) => {
    const { url, post, hints } = await open(t);
    const long = `${push}${' '.repeat(1024 * 1024)}`;
    assert.equal((await post('/webhooks/generic', long, sign(long))).status, 413);
    const parts = (async function* () {
      for (let part = 0; part < 40; part += 1) yield Buffer.alloc(65_536, ' ');
    })();
    const chunked = await fetch(`${url}/webhooks/generic`, {
      method: 'POST',
      body: parts,
      duplex: 'half',
    } as RequestInit);
    assert.equal(chunked.status, 413);
    const exact = push.padEnd(1024 * 1024);
    assert.equal((await post('/webhooks/generic', exact, sign(exact))).status, 202);
    assert.equal(hints.length, 1);
  });

  it('cuts a body without end', async (t) => {
    const { url } = await open(t);
    const head = `POST /webhooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: ${64 * 1024 * 1024}\r\n\r\n`;
    const { socket, answer } = talk(url, head);
    // The server goes long before these are through.
    for (let part = 0; part < 16 && !socket.destroyed; part += 1) {
      socket.write(Buffer.alloc(1024 * 1024));
      await wait(5);
    }
    assert.equal(await answer, '');
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  it('gives a slow body up', async (t) => {
    const { url, hints, lines } = await open(t, 200);
    const head = 'POST /webhooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{';
    assert.match(await talk(url, head).answer, /^HTTP\/1\.1 408 /);
    assert.match(await talk(url, 'POST /webhooks/gen').answer, /^HTTP\/1\.1 408 /);
    assert.deepEqual([hints, lines], [[], []]);
  });

  it('bears garbage, and a sender that goes', async (t) => {
    const { url, post, lines } = await open(t);
    for (const garbage of [
      '\r\n\r\n\0',
      'GET / HTTP/9\r\n\r\n',
      '\x16\x03\x01\x02\x00',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
    ])
      assert.match(await talk(url, garbage).answer, /^HTTP\/1\.1 4\d\d /);
    const { socket } = talk(url, 'POST /webhooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    await wait(20);
    socket.destroy();
    const bytes = Buffer.from([0xff, 0xfe, 0, 0x7b]);
    assert.equal((await post('/webhooks/generic', bytes, sign(bytes))).status, 400);
    assert.doesNotMatch(lines.join('\n'), /Internal/);
  });

  it('takes many at once', async (t) => {
    const { post, hints } = await open(t);
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => (await post('/webhooks/generic', push, sign(push))).status),
    );
    assert.deepEqual([...new Set(statuses)], [202]);
    assert.equal(hints.length, 100);
  });

  it('closes while busy: what has come is answered, what has not is cut after a second', async () => {
    const { url, close } = await openServer();
    const head = (length: number) =>
      `POST /webhooks/generic HTTP/1.1\r\nhost: x\r\nx-signature-256: ${sign(push)['x-signature-256']}\r\ncontent-length: ${length}\r\n\r\n`;
    const idle = talk(url, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    const late = talk(url, head(push.length));
    const never = talk(url, head(push.length));
    // Who came later was answered: those have been heard.
    await fetch(`${url}/healthz`);
    await wait(50);
    const startMs = performance.now();
    const closed = close();
    late.socket.write(push);
    assert.match(await late.answer, /^HTTP\/1\.1 202 [\s\S]*connection: close/i);
    assert.match(await idle.answer, /^HTTP\/1\.1 200 /);
    await closed;
    assert.equal(await never.answer, '');
    assert.ok(performance.now() - startMs < 1500);
    await assert.rejects(fetch(`${url}/healthz`));
  });

  it('says which address it cannot have', async (t) => {
    const { url, lines } = await open(t);
    const write = () => undefined;
    const log = { debug: write, info: write, warn: write, error: write };
    const listen = url.replace('http://', '');
    const probes = { whyNotAlive: () => undefined, whyNotReady: async () => undefined, readyAs: () => 'ready' };
    await assert.rejects(createServer({ listen, hooks: [], log, probes }), {
      code: 'ConfigInvalid',
      message: `Cannot listen on "${listen}": EADDRINUSE, a free address was wanted`,
    });
    assert.deepEqual(lines, []);
  });
});
