import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { type OpenRegistry, openRegistry, sendJson } from './open-registry.ts';

const at = (day: number): string => new Date(Date.UTC(2026, 0, day)).toISOString();
const hub = { host: 'docker.io', path: 'acme/web' };

/** Docker Hub: its registry and its web API on one server. `tags` by name: the day of January that it was pushed. */
async function openHub(
  t: Parameters<typeof openRegistry>[0],
  tags: Map<string, number>,
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<OpenRegistry> {
  let url = '';
  const open = await openRegistry(t, {
    hosts: () => ({ endpoint: url, credential: { username: 'tally', password: 'open sesame' } }),
    server: {
      intercept: (request, response) =>
        intercept(request, response) || (isApi(request) && sendTags(request, response, tags)),
    },
  });
  url = open.server.url;
  for (const tag of tags.keys()) open.server.publish('acme/web', tag);
  return open;
}

const isApi = ({ url = '' }: IncomingMessage): boolean => url.startsWith('/v2/repositories/');

function sendTags({ url = '' }: IncomingMessage, response: ServerResponse, tags: Map<string, number>): true {
  const query = new URL(url, 'http://hub').searchParams;
  assert.equal(query.get('ordering'), 'last_updated');
  const size = Number(query.get('page_size'));
  const from = (Number(query.get('page')) - 1) * size;
  const sorted = [...tags].sort((left, right) => right[1] - left[1]);
  const results = sorted.slice(from, from + size).map(([name, day]) => ({ name, tag_last_pushed: at(day) }));
  return sendJson(response, { next: from + size < tags.size ? 'https://elsewhere.example/' : null, results });
}

const pagesAsked = ({ server }: OpenRegistry): (string | undefined)[] =>
  server.requests
    .filter(({ url }) => url.startsWith('/v2/repositories/'))
    .map(({ url }) => /&page=(\d+)/.exec(url)?.[1]);

describe('push times of Docker Hub', () => {
  it('are asked for where they are wanted only', async (t) => {
    const open = await openHub(t, new Map([['1.0', 3]]));
    const { client, signal } = open;
    assert.equal((await client.listTags(hub, { signal })).pushedMs, undefined);
    const { tags, pushedMs } = await client.listTags(hub, { signal, pushTimes: true });
    assert.deepEqual(tags, ['1.0']);
    assert.deepEqual(pushedMs, new Map([['1.0', Date.UTC(2026, 0, 3)]]));
    assert.deepEqual(pagesAsked(open), ['1']);
  });

  it('are asked of Docker Hub only', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t);
    server.publish('acme/web', '1.0');
    assert.equal((await client.listTags(repository, { signal, pushTimes: true })).pushedMs, undefined);
    assert.equal(server.requests.length, 1);
  });

  it('are read page by page at first, later only as far as there is something new', async (t) => {
    const tags = new Map(Array.from({ length: 250 }, (_, index) => [`1.${index}`, index + 1] as const));
    const open = await openHub(t, tags);
    const { client, signal } = open;
    const list = async () => (await client.listTags(hub, { signal, pushTimes: true })).pushedMs;
    assert.equal((await list())?.size, 250);
    await list();
    tags.set('1.7', 900);
    assert.equal((await list())?.get('1.7'), Date.UTC(2026, 0, 900));
    assert.deepEqual(pagesAsked(open), ['1', '2', '3', '1', '1', '2']);
  });

  it('sign in to see a private repository', async (t) => {
    const bodies: string[] = [];
    const { client, signal } = await openHub(t, new Map([['1.0', 3]]), (request, response) => {
      if (request.url === '/v2/auth/token') {
        request.on('data', (chunk) => bodies.push(String(chunk)));
        request.on('end', () => sendJson(response, { access_token: 'abc' }));
        return true;
      }
      const hidden = isApi(request) && request.headers.authorization !== 'Bearer abc';
      return hidden && sendJson(response, { message: 'object not found' }, { status: 404 });
    });
    const { pushedMs } = await client.listTags(hub, { signal, pushTimes: true });
    assert.equal(pushedMs?.size, 1);
    assert.deepEqual(bodies, ['{"identifier":"tally","secret":"open sesame"}']);
  });

  const failures: [name: string, status: number, body: object, found: RegExp][] = [
    ['fails', 500, {}, /answered 500/],
    ['sends no list', 200, { results: {} }, /no list of tags/],
    ['refuses the sign-in', 401, { message: 'open sesame' }, /sign in to "hub\.docker\.com" as "tally".*401/],
  ];
  for (const [name, status, body, found] of failures) {
    it(`are left out, and told, where the API ${name}`, async (t) => {
      const { client, events, signal } = await openHub(
        t,
        new Map([['1.0', 3]]),
        (request, response) =>
          (isApi(request) || request.url === '/v2/auth/token') && sendJson(response, body, { status }),
      );
      const { tags, pushedMs } = await client.listTags(hub, { signal, pushTimes: true });
      assert.deepEqual(tags, ['1.0']);
      assert.deepEqual(pushedMs, new Map());
      const told = events.flatMap((event) => (event.kind === 'no-push-times' ? event.found : []));
      assert.match(told[0] ?? '', found);
      assert.ok(!told[0]?.includes('open sesame'));
    });
  }

  it('leave out what is no time', async (t) => {
    const { client, signal } = await openHub(t, new Map([['1.0', 3]]), (request, response) => {
      const results = [{ name: '1.0', tag_last_pushed: 'yesterday' }, { name: 5 }, null, { tag_last_pushed: at(1) }];
      return isApi(request) && sendJson(response, { next: null, results });
    });
    assert.deepEqual((await client.listTags(hub, { signal, pushTimes: true })).pushedMs, new Map());
  });
});
