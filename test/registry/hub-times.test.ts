import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import type { HostSettings } from '../../src/registry/host.ts';
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

  /** Counts sign-ins, of which each gives another token; refuses them after `refusesFrom`. */
  function signIns(refusesFrom = Number.POSITIVE_INFINITY) {
    const told: string[] = [];
    const intercept = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.url !== '/v2/auth/token') return false;
      told.push(String(request.headers.host));
      const isRefused = told.length >= refusesFrom;
      return sendJson(response, isRefused ? {} : { access_token: `t${told.length}` }, {
        status: isRefused ? 401 : 200,
      });
    };
    return { told, intercept };
  }

  const hide = (request: IncomingMessage, response: ServerResponse, status = 404): boolean =>
    isApi(request) && sendJson(response, { message: 'object not found' }, { status });

  it('sign in once for all repositories of an account, and never again for one that stays hidden', async (t) => {
    const { told, intercept } = signIns();
    const { client, signal } = await openHub(t, new Map([['1.0', 3]]), (request, response) => {
      const { url = '', headers } = request;
      const isHidden = headers.authorization === undefined || url.includes('/gone/');
      return intercept(request, response) || (isHidden && hide(request, response));
    });
    const paths = ['acme/web', 'acme/api', 'acme/gone'];
    for (let look = 0; look < 3; look += 1)
      await Promise.all(
        paths.map((path) => client.listTags({ ...hub, path }, { signal, pushTimes: true }).catch(() => undefined)),
      );
    assert.equal(told.length, 1);
  });

  it('sign in anew where a token is refused that worked before', async (t) => {
    const { told, intercept } = signIns();
    let good = 'Bearer t1';
    const { client, signal } = await openHub(t, new Map([['1.0', 3]]), (request, response) => {
      const isGood = request.headers.authorization === good;
      return intercept(request, response) || (!isGood && hide(request, response, 401));
    });
    for (good of ['Bearer t1', 'Bearer t2'])
      assert.equal((await client.listTags(hub, { signal, pushTimes: true })).pushTimesFault, undefined);
    assert.equal(told.length, 2);
  });

  it('do not try a refused password with each look', async (t) => {
    const { told, intercept } = signIns(1);
    const { client, signal } = await openHub(
      t,
      new Map([['1.0', 3]]),
      (request, response) => intercept(request, response) || hide(request, response),
    );
    for (let look = 0; look < 3; look += 1) {
      const { pushTimesFault } = await client.listTags(hub, { signal, pushTimes: true });
      assert.match(String(pushTimesFault), /sign in to "hub\.docker\.com" as "tally"/);
    }
    assert.equal(told.length, 1);
  });

  const mirrors: [name: string, own: HostSettings, body: string | undefined][] = [
    ["never with what is the mirror's", {}, undefined],
    [
      'with what is given for them',
      { credential: { username: 'ann', password: 'of the hub' } },
      '{"identifier":"ann","secret":"of the hub"}',
    ],
  ];
  for (const [name, own, body] of mirrors) {
    it(`behind a mirror are asked for ${name}`, async (t) => {
      const bodies: string[] = [];
      let url = '';
      const mirror = { username: 'corp', password: 'for the mirror' };
      const open = await openRegistry(t, {
        hosts: (host) =>
          host === 'docker.io'
            ? { endpoint: url, credential: mirror }
            : { ...own, endpoint: url.replace('127.0.0.1', 'localhost') },
        server: {
          intercept: (request, response) => {
            if (request.url !== '/v2/auth/token') return hide(request, response);
            request.on('data', (chunk) => bodies.push(String(chunk)));
            request.on('end', () => sendJson(response, { access_token: 'abc' }));
            return true;
          },
        },
      });
      url = open.server.url;
      open.server.publish('acme/web', '1.0');
      const { tags } = await open.client.listTags(hub, { signal: open.signal, pushTimes: true });
      assert.deepEqual(tags, ['1.0']);
      assert.deepEqual(bodies, body === undefined ? [] : [body]);
    });
  }

  it('are kept of what was read, and the next look goes on where one was cut off', async (t) => {
    const tags = new Map(Array.from({ length: 650 }, (_, index) => [`1.${index}`, index + 1] as const));
    let broken: string | undefined = '5';
    const open = await openHub(t, tags, (request, response) => {
      const isBroken = isApi(request) && new RegExp(`&page=${broken}$`).test(request.url ?? '');
      return isBroken && sendJson(response, {}, { status: 400 });
    });
    const { client, signal } = open;
    const list = () => client.listTags(hub, { signal, pushTimes: true });
    const first = await list();
    assert.equal(first.pushedMs?.size, 400);
    assert.match(String(first.pushTimesFault), /answered 400/);
    assert.equal((await list()).pushedMs?.size, 400);
    broken = undefined;
    tags.set('1.7', 900);
    const whole = await list();
    assert.equal(whole.pushedMs?.size, 650);
    assert.equal(whole.pushTimesFault, undefined);
    await list();
    const asked = pagesAsked(open).join(' ');
    assert.equal(asked, ['1 2 3 4 5', '1 4 5', '1 2 4 5 6 7', '1'].join(' '));
  });

  it('are given as they were known where a look fails', async (t) => {
    let isDown = false;
    const { client, events, signal } = await openHub(
      t,
      new Map([['1.0', 3]]),
      (request, response) => isDown && hide(request, response, 400),
    );
    const list = () => client.listTags(hub, { signal, pushTimes: true });
    const { pushedMs } = await list();
    isDown = true;
    const failed = await list();
    assert.deepEqual(failed.pushedMs, pushedMs);
    assert.match(String(failed.pushTimesFault), /answered 400/);
    assert.deepEqual(
      events.flatMap((event) => (event.kind === 'no-push-times' ? event.known : [])),
      [1],
    );
  });

  it('are forgotten with the tags that the registry no longer lists', async (t) => {
    const tags = new Map([['1.0', 3]]);
    const open = await openHub(t, tags);
    for (let day = 4; day < 9; day += 1) tags.set(`nightly-${day}`, day);
    const { pushedMs } = await open.client.listTags(hub, { signal: open.signal, pushTimes: true });
    assert.deepEqual([...(pushedMs?.keys() ?? [])], ['1.0']);
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
