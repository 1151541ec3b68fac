import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { actOut, type Behaviour, complain, oneTag, type Play, type Reply, type Scene } from './act-out.ts';

/** These answers first, then the tag list. */
function firstly(...replies: readonly Reply[]): Behaviour {
  const left = [...replies];
  return (call) => left.shift() ?? oneTag(call);
}

/** A refusal for now, made when it is sent. */
function once(make: () => Reply): Behaviour {
  let asked = 0;
  return (call) => {
    asked += 1;
    return asked === 1 ? make() : oneTag(call);
  };
}

const succeedsAfter = (waits: readonly number[]) => async (scene: Scene) => {
  assert.deepEqual(await scene.list(), ['1.0']);
  assert.deepEqual(scene.waits, waits);
};
const busy = (retryAfter: string): Reply => ({
  ...complain(429, 'TOOMANYREQUESTS'),
  headers: { 'retry-after': retryAfter },
});

const retries: Play[] = [
  ...[408, 429, 499, 500, 502, 503, 504, 522].map((status) => ({
    fact: '29',
    name: `${status} is tried again, longer each time`,
    registry: firstly({ status }, { status }),
    client: async (scene: Scene) => {
      assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(scene.waits.map(Math.round), [1000, 2000]);
    },
  })),
  ...[403, 404, 410, 501, 505].map((status) => ({
    fact: '29',
    name: `${status} is not`,
    registry: firstly({ status }),
    client: async (scene: Scene) => {
      await scene.list().catch(() => {});
      assert.deepEqual(scene.waits, []);
    },
  })),
  { fact: '29', name: 'Retry-After counts in seconds', registry: firstly(busy('7')), client: succeedsAfter([7000]) },
  {
    fact: '29',
    name: 'Retry-After counts as a date of HTTP',
    registry: once(() => busy(new Date(Date.now() + 5000).toUTCString())),
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1.0']);
      const [waitMs = 0] = scene.waits;
      // The date has no fractions of a second.
      assert.ok(scene.waits.length === 1 && waitMs > 3000 && waitMs <= 5000, String(scene.waits));
    },
  },
  {
    fact: '29',
    name: 'what one caller was told holds the others back too',
    registry: firstly(busy('8')),
    client: async (scene) => {
      const first = scene.list();
      await scene.list('acme/api');
      await first;
      const [waitMs = 0] = scene.waits;
      assert.ok(waitMs > 7000 && waitMs <= 8000, String(scene.waits));
    },
  },
  {
    fact: '29',
    name: 'a host that is down is left alone, with an error that says until when',
    registry: () => ({ status: 502 }),
    client: async (scene) => {
      for (let calls = 0; calls < 20; calls += 1) await scene.list(`acme/app-${calls}`).catch(() => {});
      assert.ok(scene.calls.length <= 33, `${scene.calls.length} requests`);
      const message = /failed again and again \(.*\), it is asked again in \d+ s/;
      await assert.rejects(scene.list(), { code: 'RegistryUnavailable', message });
    },
  },
];

const ghcr: Play[] = [
  {
    fact: '30',
    name: 'GHCR asks to wait less than a millisecond: it gets a second',
    host: 'ghcr.io',
    registry: firstly(busy('0.000377'), busy('0')),
    client: succeedsAfter([1000, 1000]),
  },
  {
    fact: '30',
    name: 'a burst of GHCR’s bucket: fewer requests at once afterwards, whoever signs in',
    host: 'ghcr.io',
    settings: () => ({ credential: { username: 'robot', password: 'hunter2' } }),
    registry: firstly(...Array.from({ length: 8 }, () => busy('0.000377'))),
    client: async (scene) => {
      const paths = Array.from({ length: 40 }, (_, index) => `acme/app-${index}`);
      const lists = await Promise.all(paths.map(scene.list));
      assert.deepEqual(new Set(lists.map(String)), new Set(['1.0']));
      assert.equal(scene.calls.length, 48, 'the eight that were in flight came again, no more');
    },
  },
];

const both = /does not exist, or may not be seen without credentials|without credentials, or does not exist/;
const hidden: [name: string, reply: Reply, code: string][] = [
  ['404 NAME_UNKNOWN', complain(404, 'NAME_UNKNOWN', 'repository name not known to registry'), 'ImageNotFound'],
  [
    'Docker Hub’s 401 insufficient_scope',
    {
      ...complain(401, 'UNAUTHORIZED', 'authentication required'),
      headers: { 'www-authenticate': 'Digest realm="x",error="insufficient_scope"' },
    },
    'RegistryDenied',
  ],
  ['ECR’s 403', complain(403, 'DENIED', 'User is not authorized to perform ecr:ListImages'), 'RegistryDenied'],
  ['ECR’s 404', complain(404, 'NAME_UNKNOWN', "The repository 'acme/web' does not exist"), 'ImageNotFound'],
  ['GHCR’s DENIED with another status', complain(400, 'DENIED', 'requested access is denied'), 'RegistryDenied'],
];

const words: Play[] = [
  ...hidden.map(([name, registry, code]) => ({
    fact: '31',
    name: `${name} may mean that it is missing or hidden, and both are said`,
    registry: () => registry,
    client: async (scene: Scene) => assert.rejects(scene.list(), { code, message: both }),
  })),
  {
    fact: '31',
    name: 'a warning is passed on, once',
    registry: (call) => {
      const warning = '299 - "This repository moves to registry.k8s.io"';
      return { json: { tags: ['1.0'] }, headers: { warning: call.query.has('n') ? warning : '' } };
    },
    client: async (scene) => {
      for (let looks = 0; looks < 3; looks += 1) await scene.list();
      const text = 'This repository moves to registry.k8s.io';
      assert.deepEqual(scene.events, [{ kind: 'warning', host: scene.repository.host, text }]);
    },
  },
  {
    fact: '31',
    name: 'what was sent as sign-in and signed addresses stay out of what is told',
    settings: () => ({ credential: { bearerToken: 'secret-token' } }),
    registry: ({ authorization }) => {
      const said = `${authorization} was refused by https://store.example/x?X-Amz-Signature=5160a7`;
      return { ...complain(403, 'DENIED', said), headers: { warning: `299 - "${said}"` } };
    },
    client: async (scene) => {
      const message = /answered 403 \(DENIED: Bearer … was refused by https:\/\/store\.example\/x\?…\)/;
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message });
      assert.ok(!JSON.stringify(scene.events).match(/secret-token|5160a7/));
    },
  },
];

const mirrors: Play[] = [
  {
    fact: '32',
    name: 'a mirror is asked without ns=, and what is missing there is an error, not a look elsewhere',
    host: 'docker.io',
    registry: () => complain(404, 'NAME_UNKNOWN'),
    client: async (scene) => {
      const message = /^Cannot list the tags of "docker\.io\/acme\/web": the registry answered 404/;
      await assert.rejects(scene.list(), { code: 'ImageNotFound', message });
      assert.deepEqual(
        scene.server.requests.map(({ url }) => url),
        ['/v2/acme/web/tags/list?n=1000'],
      );
    },
  },
];

describe('facts about patience and words', () => actOut([...retries, ...ghcr, ...words, ...mirrors]));
