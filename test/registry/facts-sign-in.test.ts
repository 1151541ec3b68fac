import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { startFrontProxy } from '../services/front-proxy.ts';
import { actOut, behindToken, everythingHere, oneTag, openScene, type Play, type Scene } from './act-out.ts';

const credential = { username: 'robot', password: 'hunter2' };
const list = '/v2/acme/web/tags/list';
const tokenFlow = (tokenPath: string) => [`GET ${list} -`, `GET ${tokenPath}`, `GET ${list} Bearer`];
const listsOne = async ({ list: listTags }: Scene): Promise<void> => assert.deepEqual(await listTags(), ['1.0']);

/** The flow goes by the Bearer challenge, and the token server is told these. */
const signsIn = (tokenPath: string, service: string | null) => async (scene: Scene) => {
  await listsOne(scene);
  assert.deepEqual(scene.asked(), tokenFlow(`${tokenPath} -`));
  assert.equal(scene.calls[1]?.query.get('service'), service);
};

const refused = (code: string, message: RegExp, calls: number) => async (scene: Scene) => {
  await assert.rejects(scene.list(), { code, message });
  assert.equal(scene.calls.length, calls);
};

const pinging: Play[] = [
  {
    fact: '1',
    name: 'a registry that lets everybody in is not pinged, nor shown the password',
    settings: () => ({ credential }),
    registry: oneTag,
    client: async (scene) => {
      await listsOne(scene);
      assert.deepEqual(scene.asked(), [`GET ${list} -`]);
    },
  },
  {
    fact: '1',
    name: 'the challenge of the real request counts, not that of /v2/',
    registry: behindToken({
      challenge: ({ origin, path }) => `Bearer realm="${origin}${path === '/v2/' ? '/wrong' : '/token'}",service="s"`,
    }),
    client: signsIn('/token', 's'),
  },
  {
    fact: '1',
    name: 'gcr.io sends a 401 without a challenge, and is pinged for one',
    registry: (call) => {
      if (call.path.endsWith('/tags/list') && call.authorization === undefined) return { status: 401 };
      return behindToken({})(call);
    },
    client: async (scene) => {
      await listsOne(scene);
      assert.deepEqual(scene.asked(), [`GET ${list} -`, 'GET /v2/ -', 'GET /token -', `GET ${list} Bearer`]);
    },
  },
  ...[200, 404].map((status) => ({
    fact: '1',
    name: `a ping answered by ${status} is no challenge either`,
    registry: ({ path }: { path: string }) => (path === '/v2/' ? { status } : { status: 401 }),
    client: refused('RegistryDenied', /answered 401: it may not be pulled without credentials/, 2),
  })),
];

const codeberg = (origin: string): [string, string] => [
  `Bearer realm="${origin}/v2/token",service="container_registry",scope="*"`,
  'Basic realm="Gitea Container Registry"',
];

const challenges: Play[] = [
  {
    fact: '2',
    name: 'Codeberg names Bearer and Basic in one header without a space between them',
    registry: behindToken({ tokenPath: '/v2/token', challenge: ({ origin }) => codeberg(origin).join(',') }),
    client: signsIn('/v2/token', 'container_registry'),
  },
  {
    fact: '2',
    name: 'two header lines are two challenges',
    registry: behindToken({ tokenPath: '/v2/token', challenge: ({ origin }) => codeberg(origin) }),
    client: signsIn('/v2/token', 'container_registry'),
  },
  {
    fact: '2',
    name: 'Basic before Bearer changes nothing',
    registry: behindToken({ tokenPath: '/v2/token', challenge: ({ origin }) => codeberg(origin).reverse().join(', ') }),
    client: signsIn('/v2/token', 'container_registry'),
  },
  {
    fact: '3',
    name: 'Oracle sends an empty scope, and what follows it counts',
    registry: behindToken({ challenge: ({ origin }) => `Bearer realm="${origin}/token",scope="",service="Oracle"` }),
    client: signsIn('/token', 'Oracle'),
  },
  {
    fact: '3',
    name: 'scheme and names have any case, values keep theirs',
    registry: behindToken({
      tokenPath: '/Auth/Token',
      challenge: ({ origin }) => `BEARER Realm="${origin}/Auth/Token",SERVICE="Registry.Corp"`,
    }),
    client: signsIn('/Auth/Token', 'Registry.Corp'),
  },
  {
    fact: '3',
    name: 'a service may be missing',
    registry: behindToken({ challenge: ({ origin }) => `Bearer realm="${origin}/token"` }),
    client: signsIn('/token', null),
  },
  {
    fact: '4',
    name: 'Negotiate is passed over for Bearer',
    registry: behindToken({ challenge: ({ origin }) => `Negotiate oRQ==, Bearer realm="${origin}/token",service="s"` }),
    client: signsIn('/token', 's'),
  },
  {
    fact: '4',
    name: 'Negotiate is passed over for Basic',
    settings: () => ({ credential }),
    registry: (call) =>
      call.authorization === 'Basic cm9ib3Q6aHVudGVyMg=='
        ? oneTag(call)
        : { status: 401, headers: { 'www-authenticate': ['Negotiate', 'Basic realm="Registry"'] } },
    client: listsOne,
  },
  {
    fact: '4',
    name: 'Negotiate alone is answered by nothing',
    settings: () => ({ credential }),
    registry: () => ({ status: 401, headers: { 'www-authenticate': 'Negotiate' } }),
    client: async (scene) => {
      await refused('RegistryDenied', /answered 401/, 2)(scene);
      assert.deepEqual(scene.asked(), [`GET ${list} -`, 'GET /v2/ -']);
    },
  },
];

/** The registry under a public name, on this machine all the same. */
const named = (scene: Scene) =>
  scene.client.listTags(
    { host: scene.server.host.replace('127.0.0.1', 'registry.example'), path: 'acme/web' },
    { signal: scene.signal },
  );

const realmTo = (realm: (origin: string) => string): Pick<Play, 'settings' | 'options' | 'registry'> => ({
  settings: () => ({ plainHttp: true }),
  options: { lookup: everythingHere },
  registry: behindToken({ challenge: ({ origin }) => `Bearer realm="${realm(origin)}",service="s"` }),
});

const foreignRealms: [where: string, realm: string, found: RegExp][] = [
  ['this machine', 'http://127.0.0.1:9/token', /loopback address "127\.0\.0\.1"/],
  ['the network inside', 'http://10.0.0.7/token', /private address "10\.0\.0\.7"/],
  ['a metadata server', 'http://169.254.169.254/token', /link-local address/],
  ['a file', 'file:///etc/passwd', /scheme is "file:"/],
];

const realms: Play[] = [
  {
    fact: '5',
    name: 'a relative realm is one of the registry',
    registry: behindToken({ challenge: () => 'Bearer realm="/token",service="s"' }),
    client: signsIn('/token', 's'),
  },
  ...foreignRealms.map(([where, realm, message]) => ({
    fact: '5',
    name: `a public registry may not name ${where} as its realm`,
    ...realmTo(() => realm),
    client: async (scene: Scene) => {
      await assert.rejects(named(scene), { code: 'RegistryInvalid', message, remedy: /trustedOrigins/ });
      assert.equal(scene.calls.length, 1);
    },
  })),
  {
    fact: '5',
    name: 'its own address it may name, though that is here',
    ...realmTo((origin) => `${origin}/token`),
    client: async (scene) => assert.deepEqual((await named(scene)).tags, ['1.0']),
  },
  {
    fact: '5',
    name: 'Gitea names its ROOT_URL, which the operator may trust',
    ...realmTo((origin) => `${origin.replace('registry.example', '127.0.0.1')}/token`),
    settings: (url) => ({ plainHttp: true, trustedOrigins: [url] }),
    client: async (scene) => assert.deepEqual((await named(scene)).tags, ['1.0']),
  },
  {
    fact: '5',
    name: 'a token server may not redirect inside, either',
    settings: () => ({ credential }),
    registry: behindToken({ token: () => ({ status: 307, headers: { location: 'http://169.254.169.254/x' } }) }),
    client: refused('RegistryInvalid', /get a pull token .* link-local address/, 2),
  },
];

describe('facts about challenges', () => {
  actOut([...pinging, ...challenges, ...realms]);

  it('5: a registry with TLS may not name a realm without', async (t) => {
    const scene = await openScene(t, { registry: behindToken({}) });
    const readPem = (name: string): string => readFileSync(new URL(`./tls/${name}.pem`, import.meta.url), 'utf8');
    const ca = readPem('localhost-cert');
    const front = await startFrontProxy({ url: scene.server.url, tls: { cert: ca, key: readPem('localhost-key') } });
    const client = createRegistry({ hosts: () => ({ ca, plainHttp: false, credential }) });
    t.after(() => Promise.all([client.close(), front.close()]));
    const listing = client.listTags({ host: front.host, path: 'acme/web' }, { signal: scene.signal });
    await assert.rejects(listing, { code: 'RegistryInvalid', message: /realm .* it leads from https to http/ });
    assert.deepEqual(scene.asked(), [`GET ${list} -`]);
  });
});
