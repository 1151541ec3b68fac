import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { actOut, type Behaviour, behindToken, complain, type Play, type Scene } from './act-out.ts';

const user = { username: 'robot', password: 'hunter2' };
const identity = { username: 'robot', identityToken: 'refresh-me' };
const isoIn = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

/** What the token server was asked, and how often. */
const tokenCalls = ({ calls }: Scene) => calls.filter(({ path }) => path === '/token');
const tokensAsked = (scene: Scene): number => tokenCalls(scene).length;

/** The list, got with a token that the client asked for like this. */
const asksFor = (wanted: readonly object[]) => async (scene: Scene) => {
  assert.deepEqual(await scene.list(), ['1.0']);
  const seen = tokenCalls(scene).map(({ method, query, form, authorization }) => ({
    method,
    ...Object.fromEntries(method === 'POST' ? form : query),
    ...(authorization !== undefined && { authorization }),
  }));
  assert.deepEqual(seen, wanted);
};

const common = { service: 's', scope: 'repository:acme/web:pull', client_id: 'tallyman' };
const byGet = { method: 'GET', ...common };
const byBasic = { ...byGet, account: 'robot', authorization: 'Basic cm9ib3Q6aHVudGVyMg==' };
const byRefresh = { method: 'POST', grant_type: 'refresh_token', refresh_token: 'refresh-me', ...common };
const only =
  (known: string, status: number): Behaviour =>
  ({ method }) =>
    method === known ? { json: { access_token: 'abc' } } : { status };

const requests: Play[] = [
  {
    fact: '6',
    name: 'a token is asked for by GET, without a user',
    registry: behindToken({}),
    client: asksFor([byGet]),
  },
  {
    fact: '6',
    name: 'a user is named as account, and signs in by Basic',
    settings: () => ({ credential: user }),
    registry: behindToken({}),
    client: asksFor([byBasic]),
  },
  {
    fact: '6',
    name: 'an identity token goes by POST, and asks for no offline token',
    settings: () => ({ credential: identity }),
    registry: behindToken({}),
    client: asksFor([byRefresh]),
  },
  {
    fact: '6',
    name: 'a server that answers this POST by 404 gets it by GET',
    settings: () => ({ credential: identity }),
    registry: behindToken({ token: only('GET', 404) }),
    client: asksFor([byRefresh, { ...byBasic, authorization: 'Basic cm9ib3Q6cmVmcmVzaC1tZQ==' }]),
  },
  {
    fact: '6',
    name: 'a server that knows POST only gets the password by POST',
    settings: () => ({ credential: user }),
    registry: behindToken({ token: only('POST', 405) }),
    client: asksFor([byBasic, { method: 'POST', grant_type: 'password', ...user, ...common }]),
  },
];

const answers: [name: string, json: object, sent: string][] = [
  ['a token', { token: 'a' }, 'a'],
  ['an access_token', { access_token: 'b' }, 'b'],
  ['both, of which token counts', { access_token: 'b', token: 'a' }, 'a'],
];

const responses: Play[] = [
  ...answers.map(([name, json, sent]) => ({
    fact: '7',
    name: `the answer has ${name}`,
    registry: behindToken({ token: () => ({ json }) }),
    client: async ({ list, calls }: Scene) => {
      await list();
      assert.equal(calls.at(-1)?.authorization, `Bearer ${sent}`);
    },
  })),
  {
    fact: '7',
    name: 'more than 64 KiB are no token',
    registry: behindToken({ token: () => ({ json: { token: 'a'.repeat(65_536) } }) }),
    client: async (scene) => {
      const message = /get a pull token .* too long, at most 65536 bytes were wanted/;
      await assert.rejects(scene.list(), { code: 'RegistryInvalid', message });
      assert.equal(tokensAsked(scene), 1);
    },
  },
];

/** The token serves until shortly before `seconds`, and is renewed then before anybody refuses it. */
const livesFor = (seconds: number) => async (scene: Scene) => {
  await scene.list();
  scene.clock.aheadMs = (seconds - 1) * 1000;
  await scene.list();
  assert.equal(tokensAsked(scene), 1, 'before its end');
  scene.clock.aheadMs = (seconds + 1) * 1000;
  await scene.list();
  assert.equal(tokensAsked(scene), 2, 'at its end');
  assert.equal(
    scene.calls.filter(({ authorization }) => authorization === undefined).length,
    3,
    'no 401 but the first',
  );
};

const lives: [name: string, json: () => object, seconds: number][] = [
  ['no expires_in means 60 s, renewed 5 s early', () => ({}), 55],
  ['a life of 5 s is raised to 60 s', () => ({ expires_in: 5 }), 55],
  ['GitLab and Quay send no issued_at: it is now', () => ({ expires_in: 300 }), 295],
  ['an issued_at of a minute ago counts', () => ({ expires_in: 300, issued_at: isoIn(-60) }), 235],
  ['an issued_at in the future is now', () => ({ expires_in: 300, issued_at: isoIn(3600) }), 295],
  ['a token issued and ended long ago is as good as new', () => ({ expires_in: 300, issued_at: isoIn(-9000) }), 295],
];

/** A page with one tag and a link, up to the fifth. */
const fivePages: Behaviour = ({ path, query }) => {
  const page = Number(query.get('last') ?? 0) + 1;
  const headers = page < 5 ? { link: `<${path}?n=1000&last=${page}>; rel="next"` } : {};
  return { json: { tags: [String(page)] }, headers };
};

const lifetimes: Play[] = [
  ...lives.map(([name, json, seconds]) => ({
    fact: '8',
    name,
    registry: behindToken({ token: () => ({ json: { token: 'abc', ...json() } }) }),
    client: livesFor(seconds),
  })),
  {
    fact: '8',
    name: 'Harbor asked for a token with every page, as there was no issued_at: one does',
    registry: behindToken({ token: () => ({ json: { token: 'abc', expires_in: 1800 } }) }, fivePages),
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1', '2', '3', '4', '5']);
      assert.equal(tokensAsked(scene), 1);
    },
  },
];

function createSlowStart(): Behaviour {
  let asked = 0;
  return () => {
    asked += 1;
    return asked === 1 ? 'silence' : { json: { token: 'abc' } };
  };
}

const flights: Play[] = [
  {
    fact: '11',
    name: 'thirty callers at once share one token request',
    registry: behindToken({}),
    client: async (scene) => {
      await Promise.all(Array.from({ length: 30 }, () => scene.list()));
      assert.equal(tokensAsked(scene), 1);
    },
  },
  {
    fact: '11',
    name: 'the shared request is bounded: its callers are told, and the next asks anew',
    options: { limits: { attemptMs: 1000, maxTries: 1 } },
    registry: behindToken({ token: createSlowStart() }),
    client: async (scene) => {
      const outcomes = await Promise.allSettled([scene.list(), scene.list(), scene.list()]);
      for (const outcome of outcomes) {
        const reason: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
        assert.match(String(reason), /get a pull token .* within 1 s/);
      }
      assert.deepEqual(await scene.list(), ['1.0']);
      assert.equal(tokensAsked(scene), 2);
    },
  },
  {
    fact: '11',
    name: 'a refused token request is told to all that share it',
    settings: () => ({ credential: user }),
    registry: behindToken({ token: () => complain(403, 'DENIED') }),
    client: async (scene) => {
      const outcomes = await Promise.allSettled([scene.list(), scene.list(), scene.list()]);
      assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['rejected']));
      assert.equal(tokensAsked(scene), 1);
    },
  },
];

describe('facts about tokens', () => actOut([...requests, ...responses, ...lifetimes, ...flights]));
