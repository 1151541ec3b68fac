import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  actOut,
  type Behaviour,
  behindToken,
  type Call,
  everythingHere,
  oneTag,
  openScene,
  type Play,
  type Scene,
} from './act-out.ts';

const credential = { username: 'robot', password: 'pa55word-of-robot' };
const list = '/v2/acme/web/tags/list';

const redirect = (location: string, status = 307) => ({ status, headers: { location } });
const tokens = ({ calls }: Scene): Call[] => calls.filter(({ path }) => path === '/token');

/** A registry under a public name that redirects; all names are this machine. */
const fromPublic = (location: (port: string) => string): Omit<Play, 'fact' | 'name' | 'client'> => ({
  settings: () => ({ plainHttp: true, credential }),
  options: { lookup: everythingHere },
  registry: (call) => {
    const { hostname, port } = new URL(call.origin);
    if (hostname === 'registry.example') return redirect(location(port));
    // A second step, by way of another public name.
    return hostname === 'step.example' ? redirect(`http://127.0.0.1:${port}${list}`) : oneTag(call);
  },
});
const listPublic = (scene: Scene) =>
  scene.client.listTags(
    { host: scene.server.host.replace('127.0.0.1', 'registry.example'), path: 'acme/web' },
    { signal: scene.signal },
  );

describe('a registry under a public name', () => {
  const rows: [to: string, location: (port: string) => string, message: RegExp, calls?: number][] = [
    ['this machine', (port) => `http://127.0.0.1:${port}${list}`, /loopback address "127\.0\.0\.1"/],
    [
      'this machine by another name for it',
      (port) => `http://localhost:${port}${list}`,
      /loopback address "localhost"/,
    ],
    ['this machine by one number', (port) => `http://2130706433:${port}${list}`, /loopback address/],
    ['this machine in IPv6', (port) => `http://[::ffff:127.0.0.1]:${port}${list}`, /loopback address/],
    ['this machine in two steps', (port) => `http://step.example:${port}${list}`, /loopback address/, 2],
    ['the network inside', () => 'http://192.168.1.1/admin', /private address "192\.168\.1\.1"/],
    ['a metadata server', () => 'http://169.254.169.254/latest/meta-data/iam/', /link-local address/],
    ['a metadata server in IPv6', () => 'http://[fe80::a9fe:a9fe]/', /link-local address/],
    ['a metadata server through NAT64', () => 'http://[64:ff9b::a9fe:a9fe]/', /link-local address/],
    ['a file', () => 'file:///var/run/secrets/kubernetes.io/serviceaccount/token', /scheme is "file:"/],
    ['data in the address', () => 'data:application/json,{"tags":["9.9"]}', /scheme is "data:"/],
    ['another protocol', () => 'gopher://registry.example/_x', /scheme is "gopher:"/],
    ['an address that is none', () => 'http://[1:2/', /names no URL/],
  ];
  for (const [to, location, message, calls = 1] of rows) {
    it(`does not lead to ${to}`, async (t) => {
      const scene = await openScene(t, fromPublic(location));
      await assert.rejects(listPublic(scene), { code: 'RegistryInvalid', message });
      assert.equal(scene.calls.length, calls);
    });
  }

  it('leads to another public name', async (t) => {
    const scene = await openScene(
      t,
      fromPublic((port) => `http://other.example:${port}${list}`),
    );
    assert.deepEqual((await listPublic(scene)).tags, ['1.0']);
  });
});

const signed =
  (next: Behaviour): Behaviour =>
  (call) =>
    call.authorization === undefined && call.path.startsWith('/v2/')
      ? { status: 401, headers: { 'www-authenticate': 'Basic realm="Registry"' } }
      : next(call);

const plays: Play[] = [
  {
    fact: 'redirects',
    name: 'between two addresses end after five',
    registry: ({ path }) => redirect(path === list ? '/other' : list),
    client: async (scene) => {
      const message = /redirects more than 5 times, an answer was wanted/;
      await assert.rejects(scene.list(), { code: 'RegistryInvalid', message });
      assert.equal(scene.calls.length, 6);
    },
  },
  {
    fact: 'redirects',
    name: 'with a user in the address do not sign in as that user',
    registry: (call) =>
      call.path === list ? redirect(`${call.origin.replace('//', '//eve:evil@')}/there`) : { json: { tags: ['1.0'] } },
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(scene.asked(), [`GET ${list} -`, 'GET /there -']);
    },
  },
  {
    fact: 'redirects',
    name: 'to another name or port of the same machine go without the password',
    settings: () => ({ credential }),
    registry: signed((call) =>
      call.path === list
        ? redirect(`${call.origin.replace('127.0.0.1', 'localhost')}/there`)
        : { json: { tags: ['1.0'] } },
    ),
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(scene.asked(), [`GET ${list} -`, `GET ${list} Basic`, 'GET /there -']);
    },
  },
  {
    fact: 'redirects',
    name: 'back again do not bring the password back',
    settings: () => ({ credential }),
    registry: signed((call) => {
      if (call.path === list) return redirect(`${call.origin.replace('127.0.0.1', 'localhost')}/there`);
      if (call.path === '/there') return redirect(`${call.origin.replace('localhost', '127.0.0.1')}/back`);
      return { json: { tags: ['1.0'] } };
    }),
    client: async (scene) => {
      await scene.list();
      assert.deepEqual(scene.asked().slice(2), ['GET /there -', 'GET /back -']);
    },
  },
  {
    fact: 'redirects',
    name: 'of a token server go on without the password',
    settings: () => ({ credential }),
    registry: behindToken(
      { token: ({ origin }) => redirect(`${origin.replace('127.0.0.1', 'localhost')}/v2/elsewhere`) },
      oneTag,
    ),
    client: async (scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message: /token server .* answered 401/ });
      assert.deepEqual(scene.asked(), [`GET ${list} -`, 'GET /token Basic', 'GET /v2/elsewhere -']);
    },
  },
  {
    fact: 'redirects',
    name: 'of what carries a refresh token are not followed',
    settings: () => ({ credential: { identityToken: 'refresh-me-not' } }),
    registry: behindToken({ token: () => redirect('/v2/elsewhere', 308) }),
    client: async (scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryInvalid', message: /token server .* answered 308/ });
      assert.equal(scene.calls.length, 2);
    },
  },
];

const always401 = (challenge: (count: number, origin: string) => string): Behaviour => {
  let count = 0;
  return ({ path, origin }) => {
    if (path.startsWith('/token')) return { json: { token: `t${count}` } };
    count += 1;
    return { status: 401, headers: { 'www-authenticate': challenge(count, origin) } };
  };
};

const loops: Play[] = [
  {
    fact: '401',
    name: 'with another realm each time ends after one more token',
    settings: () => ({ credential }),
    registry: always401((count, origin) => `Bearer realm="${origin}/token${count}",service="s"`),
    client: async (scene) => {
      await assert.rejects(scene.list(), {
        code: 'RegistryDenied',
        message: /answered 401: it may not be pulled with/,
      });
      assert.equal(scene.calls.length, 3);
      for (let looks = 0; looks < 5; looks += 1) await assert.rejects(scene.list(), { code: 'RegistryDenied' });
      assert.ok(scene.calls.length <= 3 + 5 * 4, `${scene.calls.length} requests`);
    },
  },
  {
    fact: '401',
    name: 'that turns from Bearer to Basic and back does not go round',
    settings: () => ({ credential }),
    registry: always401((count, origin) => (count % 2 === 0 ? 'Basic realm="x"' : `Bearer realm="${origin}/token"`)),
    client: async (scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message: /answered 401/ });
      assert.equal(scene.calls.length, 3);
    },
  },
  {
    fact: '401',
    name: 'of the token server is final, whatever it demands itself',
    settings: () => ({ credential }),
    registry: behindToken({
      token: ({ origin }) => ({ status: 401, headers: { 'www-authenticate': `Bearer realm="${origin}/token"` } }),
    }),
    client: async (scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message: /token server .* answered 401, a token/ });
      assert.equal(tokens(scene).length, 1);
    },
  },
  {
    fact: '401',
    name: 'of a realm that is the list itself goes round once',
    settings: () => ({ credential }),
    registry: ({ origin }) => ({ status: 401, headers: { 'www-authenticate': `Bearer realm="${origin}${list}"` } }),
    client: async (scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message: /token server .* answered 401/ });
      assert.equal(scene.calls.length, 2);
    },
  },
  {
    fact: '401',
    name: 'after each use of a token costs a token for each page, and all pages come',
    registry: createOneTimeTokens(),
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1', '2', '3', '4']);
      assert.equal(tokens(scene).length, 4);
    },
  },
];

/** Takes each token once. */
function createOneTimeTokens(): Behaviour {
  const used = new Set<string>();
  const challenge = ({ origin }: Call) => `Bearer realm="${origin}/token",service="s"`;
  return behindToken({ challenge }, (call) => {
    const { authorization = '', query } = call;
    if (used.has(authorization)) return { status: 401, headers: { 'www-authenticate': challenge(call) } };
    used.add(authorization);
    const page = Number(query.get('last') ?? 0) + 1;
    const headers = page < 4 ? { link: `<${list}?n=1000&last=${page}>; rel="next"` } : {};
    return { json: { tags: [String(page)] }, headers };
  });
}

describe('a registry that leads astray', () => actOut(plays));
describe('a registry that is never content', () => actOut(loops));
