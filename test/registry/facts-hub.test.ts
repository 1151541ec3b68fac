import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { parseImageReference } from '../../src/image/reference.ts';
import {
  actOut,
  type Behaviour,
  complain,
  noteNames,
  oneTag,
  type Play,
  type Reply,
  type Scene,
  sendManifest,
} from './act-out.ts';

const source = { 'org.opencontainers.image.source': 'https://git.example/acme/web' };
const manifestPath = '/v2/acme/web/manifests/';

/** What `docker pull` would ask for, listed by the client. */
const listImage = (image: string) => (scene: Scene) =>
  scene.client.listTags(parseImageReference(image), { signal: scene.signal });

function createNameRow(image: string, asked: string): Play {
  const names: string[] = [];
  return {
    fact: '13',
    name: `${image} is asked for at ${asked}`,
    options: { hosts: () => ({}), lookup: noteNames(names) },
    registry: oneTag,
    client: async (scene) => {
      await assert.rejects(listImage(image)(scene), { code: 'RegistryUnavailable', message: new RegExp(asked) });
      assert.deepEqual(new Set(names), new Set([asked]));
    },
  };
}

function createRealmRow(): Play {
  const names: string[] = [];
  const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"';
  return {
    fact: '13',
    name: 'its token server has another name, and is followed',
    host: 'docker.io',
    options: { lookup: noteNames(names) },
    registry: () => ({ ...complain(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': challenge } }),
    client: async (scene) => {
      const message = /get a pull token for "docker\.io\/acme\/web": .*auth\.docker\.io/;
      await assert.rejects(scene.list(), { code: 'RegistryUnavailable', message });
      assert.ok(names.includes('auth.docker.io'));
    },
  };
}

const paths: [image: string, host: string, path: string][] = [
  ['nginx', 'docker.io', 'library/nginx'],
  ['docker.io/nginx', 'docker.io', 'library/nginx'],
  ['index.docker.io/acme/web', 'docker.io', 'acme/web'],
  ['quay.io/nginx', 'quay.io', 'nginx'],
];

const naming: Play[] = [
  createNameRow('nginx', 'registry-1.docker.io'),
  createNameRow('docker.io/acme/web', 'registry-1.docker.io'),
  createNameRow('index.docker.io/acme/web', 'registry-1.docker.io'),
  createRealmRow(),
  ...paths.map(([image, host, path]) => ({
    fact: '13',
    name: `${image} is the repository ${path} of ${host}`,
    host,
    registry: oneTag,
    client: async (scene: Scene) => {
      assert.deepEqual((await listImage(image)(scene)).tags, ['1.0']);
      assert.deepEqual(scene.asked(), [`GET /v2/${path}/tags/list -`]);
    },
  })),
];

/** Docker Hub's count of pulls: a GET of a manifest takes one, HEAD takes none, both tell. */
function countPulls(left: number): Behaviour {
  let pulls = left;
  return (call) => {
    const { method, path } = call;
    if (!path.startsWith(manifestPath)) return oneTag(call);
    if (method === 'GET') pulls -= 1;
    const rates = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': `${pulls};w=21600` };
    const { body, headers } = sendManifest({ annotations: source });
    return { body, headers: { ...headers, ...rates } };
  };
}

const tooMany: [name: string, refusal: Reply, found: RegExp][] = [
  [
    'TOOMANYREQUESTS of the pull limit',
    complain(429, 'TOOMANYREQUESTS', 'You have reached your pull rate limit.'),
    /answered 429 \(TOOMANYREQUESTS: You have reached your pull rate limit\.\)/,
  ],
  ['HAP429 of the limit per address', { status: 429, body: 'Too Many Requests (HAP429).\n' }, /answered 429, 200 was/],
];

const limits: Play[] = [
  {
    fact: '14',
    name: 'a pull is a GET of a manifest: a tag that was read once is looked at by HEAD',
    registry: countPulls(100),
    client: async (scene) => {
      await scene.fetch('1.0');
      await scene.fetch('1.0');
      assert.deepEqual(scene.asked(), [`GET ${manifestPath}1.0 -`, `HEAD ${manifestPath}1.0 -`]);
      const told = scene.events.flatMap((event) => (event.kind === 'budget' ? [[event.left, event.limit]] : []));
      assert.deepEqual(
        told,
        [
          [99, 100],
          [99, 100],
        ],
        'HEAD tells too',
      );
    },
  },
  {
    fact: '14',
    name: 'no headers mean no limit',
    registry: () => undefined,
    client: async (scene) => {
      for (const tag of ['1.0', '2.0', '3.0']) {
        scene.server.publish('acme/web', tag, source);
        await scene.fetch(tag);
      }
      assert.deepEqual(scene.events, []);
    },
  },
  ...tooMany.map(([name, refusal, message]) => ({
    fact: '14',
    name: `${name} is a 429 that is told in its words`,
    registry: () => refusal,
    client: async (scene: Scene) => {
      await assert.rejects(scene.list(), { code: 'RegistryUnavailable', message });
      assert.equal(scene.calls.length, 3);
      assert.deepEqual(scene.waits, [1000, 2000]);
    },
  })),
  {
    fact: '15',
    name: 'pulls rest while few are left, lists go on, and a new window ends the rest',
    registry: countPulls(12),
    client: async (scene) => {
      await scene.fetch('1.0');
      await scene.fetch('2.0');
      const pulls = scene.calls.length;
      const refusal = { code: 'RegistryUnavailable', message: /10 of 100 pulls are left, more than 10 were wanted/ };
      await assert.rejects(scene.fetch('3.0'), { ...refusal, remedy: /minPullsLeft/ });
      assert.equal(scene.calls.length, pulls + 1, 'HEAD, which is not counted, goes to see');
      assert.deepEqual(await scene.list(), ['1.0']);
      scene.clock.aheadMs += 21_600_000;
      await scene.fetch('3.0');
    },
  },
];

/** Hub's web API: newest first, a hundred at a time. Tag `1.7` was pushed in minute 7. */
function serveWebApi(count: number): Behaviour {
  return (call) => {
    const { path, query } = call;
    if (path.endsWith('/tags/list'))
      return { json: { tags: Array.from({ length: count }, (_, index) => `1.${index + 1}`) } };
    if (!path.startsWith('/v2/repositories/acme/web/tags')) return oneTag(call);
    const [page, size] = [Number(query.get('page')), Number(query.get('page_size'))];
    const all = Array.from({ length: count }, (_, index) => count - index);
    const results = all.slice((page - 1) * size, page * size).map((minute) => ({
      name: `1.${minute}`,
      tag_last_pushed: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
      digest: `sha256:${'b'.repeat(64)}`,
    }));
    return { json: { count, next: page * size < count ? 'https://hub.docker.com/next' : null, results } };
  };
}

const times: Play[] = [
  {
    fact: '16',
    name: 'push times come newest first, and are read no further than what is known',
    host: 'docker.io',
    registry: serveWebApi(250),
    client: async (scene) => {
      const ask = () => scene.client.listTags(scene.repository, { signal: scene.signal, pushTimes: true });
      const pages = () => scene.calls.flatMap(({ query }) => query.get('page') ?? []);
      const { pushedMs } = await ask();
      assert.equal(pushedMs?.size, 250);
      assert.equal(pushedMs?.get('1.7'), Date.UTC(2026, 0, 1, 0, 7));
      await ask();
      assert.deepEqual(pages(), ['1', '2', '3', '1']);
      assert.equal(scene.calls[1]?.query.get('ordering'), 'last_updated');
    },
  },
];

describe('facts about Docker Hub', () => actOut([...naming, ...limits, ...times]));
