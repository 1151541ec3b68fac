import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { actOut, behindToken, complain, oneTag, type Play, type Scene } from './act-out.ts';

const credential = { username: 'robot', password: 'hunter2' };
const list = '/v2/acme/web/tags/list';
const tokenFlow = [`GET ${list} -`, 'GET /token -', `GET ${list} Bearer`];

const scopes: Play[] = [
  {
    fact: '9',
    name: 'one scope is asked for, and no other that the realm brings along',
    registry: behindToken({ challenge: ({ origin }) => `Bearer realm="${origin}/token?scope=registry:catalog:*"` }),
    client: async (scene) => {
      assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(scene.calls[1]?.query.getAll('scope'), ['repository:acme/web:pull']);
    },
  },
  {
    fact: '9',
    name: 'scopes do not pile up over many repositories, each has its own token',
    registry: behindToken({ token: ({ query }) => ({ json: { token: query.getAll('scope').join('+') } }) }, (call) =>
      call.authorization === `Bearer repository:${call.path.slice(4, -10)}:pull` ? oneTag(call) : { status: 403 },
    ),
    client: async ({ list: listTags, asked }) => {
      for (const path of ['acme/a', 'acme/b', 'acme/c', 'acme/a']) assert.deepEqual(await listTags(path), ['1.0']);
      assert.equal(asked().filter((line) => line.startsWith('GET /token')).length, 3);
    },
  },
  ...[{}, { credential }].map((settings) => ({
    fact: '9',
    name: `a token of ghcr.io is ${'credential' in settings ? 'bound to its repository with' : 'good for all without'} a user`,
    host: 'ghcr.io',
    settings: () => settings,
    registry: behindToken({}),
    client: async ({ list: listTags, asked }: Scene) => {
      for (const path of ['acme/a', 'acme/b', 'acme/c']) await listTags(path);
      const wanted = 'credential' in settings ? 3 : 1;
      assert.equal(asked().filter((line) => line.startsWith('GET /token')).length, wanted);
    },
  })),
  {
    fact: '10',
    name: 'a token that ends between two pages is renewed once, and the page is asked for again',
    registry: behindToken({}, ({ authorization, query, origin }) => {
      if (query.get('last') === null)
        return { json: { tags: ['1.0'] }, headers: { link: `<${list}?n=1000&last=1.0>; rel="next"` } };
      if (authorization === 'Bearer t2') return { json: { tags: ['2.0'] } };
      const challenge = `Bearer realm="${origin}/token",service="s",error="invalid_token"`;
      return { status: 401, headers: { 'www-authenticate': challenge } };
    }),
    client: async ({ list: listTags, asked }) => {
      assert.deepEqual(await listTags(), ['1.0', '2.0']);
      const again = [`GET ${list} Bearer`, 'GET /token -', `GET ${list} Bearer`];
      assert.deepEqual(asked(), [...tokenFlow, ...again]);
    },
  },
  {
    fact: '10',
    name: 'insufficient_scope for a new token is final',
    registry: behindToken({}, ({ origin }) => {
      const challenge = `Bearer realm="${origin}/token",service="s",error="insufficient_scope"`;
      return { ...complain(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': challenge } };
    }),
    client: async (scene) => {
      const message = /answered 401 \(UNAUTHORIZED: unauthorized\)/;
      await assert.rejects(scene.list(), { code: 'RegistryDenied', message });
      assert.deepEqual(scene.asked(), tokenFlow);
    },
  },
];

describe('facts about scopes', () => actOut(scopes));
