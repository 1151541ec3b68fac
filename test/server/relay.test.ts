import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { type OpenServer, openServer, push, secret, sign } from './open-server.ts';

async function open(t: TestContext): Promise<OpenServer> {
  const server = await openServer();
  t.after(() => server.close());
  return server;
}

/** A standby, and the leader that it knows. */
async function openPair(t: TestContext): Promise<{ standby: OpenServer; leader: OpenServer }> {
  const [standby, leader] = [await open(t), await open(t)];
  standby.now.leader = { kind: 'other', name: 'a', address: leader.url.replace('http://', '') };
  return { standby, leader };
}

/** A server that answers anything in its own way; its address. */
async function openStranger(t: TestContext, answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer ?? (() => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function assertNotNow(answer: Response, reason: RegExp): Promise<void> {
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5']);
  assert.match(await answer.text(), reason);
}

describe('a delivery to a standby', () => {
  it('is handed on to the leader as it is, signed in whatever way, and answered as there', async (t) => {
    const { standby, leader } = await openPair(t);
    // Bytes that nobody on the way may read and write anew: they are signed.
    const odd = Buffer.from(push.replace(/\}$/, ',  "note": "gr\u00f6\u00dfe"\r\n}'));
    const ways: readonly (readonly [string, string | Uint8Array, Record<string, string>])[] = [
      ['/webhooks/generic', push, sign(push)],
      ['/webhooks/generic', odd, sign(odd)],
      ['/webhooks/gitlab', push, { 'x-gitlab-token': secret, 'x-gitlab-event': 'Push Hook' }],
      ['/webhooks/distribution', '{"events":[]}', { authorization: `Bearer ${secret}` }],
      ['/webhooks/generic', push, sign(push, 'guessed')],
    ];
    const statuses: number[] = [];
    for (const [path, body, headers] of ways) {
      const [relayed, straight] = [await standby.post(path, body, headers), await leader.post(path, body, headers)];
      assert.deepEqual([relayed.status, await relayed.text()], [straight.status, await straight.text()], path);
      statuses.push(relayed.status);
    }
    assert.deepEqual(statuses, [202, 202, 400, 200, 401]);
    assert.deepEqual([standby.hints.length, leader.hints.length], [0, 4]);
    assert.doesNotMatch(standby.lines.join('\n'), new RegExp(secret));
    assert.ok(standby.now.told.includes('tallyman_webhook_deliveries_total generic 202'));
  });

  it('says when to come again as the leader does', async (t) => {
    const { standby, leader } = await openPair(t);
    leader.now.secret = () => secret;
    const answers = await Promise.all(
      Array.from({ length: 103 }, () => standby.post('/webhooks/generic', push, sign(push))),
    );
    const refused = answers.filter(({ status }) => status === 429);
    assert.deepEqual([refused.length, refused[0]?.headers.get('retry-after')], [3, '1']);
  });

  it('is not handed on twice', async (t) => {
    const { standby, leader } = await openPair(t);
    leader.now.leader = { kind: 'other', name: 'b', address: standby.url.replace('http://', '') };
    await assertNotNow(await standby.post('/webhooks/generic', push, sign(push)), /does not lead any more/);
    assert.deepEqual([standby.hints, leader.hints], [[], []]);
  });

  it('that was handed on acts where it is meant to', async (t) => {
    const leader = await open(t);
    const answer = await leader.post('/webhooks/generic', push, { ...sign(push), 'tallyman-relayed': '1' });
    assert.equal(answer.status, 202);
  });

  const nowhere = {
    'nobody leads': [{ kind: 'nobody' }, /no replica leads/],
    'nobody says where the leader is': [{ kind: 'other', name: 'a', address: undefined }, /does not say where/],
    'the leader is gone': [{ kind: 'other', name: 'a', address: '127.0.0.1:1' }, /cannot be reached/],
  } as const;
  for (const [name, [leader, reason]] of Object.entries(nowhere))
    it(`is to come again where ${name}, which is told once a minute`, async (t) => {
      const standby = await open(t);
      standby.now.leader = leader;
      for (let times = 0; times < 3; times += 1)
        await assertNotNow(await standby.post('/webhooks/generic', push, sign(push)), reason);
      assert.equal(standby.lines.length, 1);
      assert.match(standby.lines[0] ?? '', /^warn webhook delivery not taken: /);
      assert.deepEqual(standby.hints, []);
    });

  it('is to come again where the leader is silent, or goes on and on', async (t) => {
    const standby = await open(t);
    const strangers = [
      await openStranger(t, () => undefined),
      await openStranger(t, (_, response) => void response.writeHead(200).write('x'.repeat(1024 * 1024))),
    ];
    for (const address of strangers) {
      standby.now.leader = { kind: 'other', name: 'a', address };
      await assertNotNow(await standby.post('/webhooks/generic', push, sign(push)), /cannot be reached/);
    }
  });

  it('that is too long, or for no hook, is not handed on', async (t) => {
    const standby = await open(t);
    let asked = 0;
    const address = await openStranger(t, (_, response) => {
      asked += 1;
      response.end();
    });
    standby.now.leader = { kind: 'other', name: 'a', address };
    assert.equal((await standby.post('/webhooks/generic', Buffer.alloc(2 * 1024 * 1024))).status, 413);
    assert.equal((await standby.post('/webhooks/unknown', push)).status, 404);
    assert.equal((await fetch(`${standby.url}/webhooks/generic`)).status, 405);
    assert.equal(asked, 0);
  });

  it('never reaches another address than the one of the leader', async (t) => {
    const standby = await open(t);
    const paths: (string | undefined)[] = [];
    const address = await openStranger(t, ({ url }, response) => {
      paths.push(url);
      response.end('{}');
    });
    standby.now.leader = { kind: 'other', name: 'a', address };
    await standby.post('/webhooks/generic?secret=x&to=http://127.0.0.1:1/@', push);
    assert.deepEqual(paths, ['/webhooks/generic?secret=x&to=http://127.0.0.1:1/@']);
  });
});

describe('readiness of a standby', () => {
  it('is told in its own word', async (t) => {
    const server = await open(t);
    server.now.ready = true;
    server.now.readyAs = 'standby';
    const answer = await fetch(`${server.url}/readyz`);
    assert.deepEqual([answer.status, await answer.json()], [200, { status: 'standby' }]);
  });
});
