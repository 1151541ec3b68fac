import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createRegistry, type RegistryOptions } from '../../src/registry/create-registry.ts';
import { startDockerRegistry } from '../services/docker-registry.ts';
import { pushImage } from '../services/push-image.ts';
import { startTokenServer, type TokenServerOptions } from '../services/token-server.ts';

const { signal } = new AbortController();

/** A registry with its token server, the tag 1.0 of each repository, and a client that signs in unless told otherwise. */
async function openTokenRegistry(
  context: TestContext,
  {
    repositories,
    client: about,
    ...options
  }: TokenServerOptions & { repositories: string[]; client?: Partial<RegistryOptions> },
) {
  const tokens = await startTokenServer(options);
  context.after(() => tokens.close());
  const server = await startDockerRegistry({ tokenAuth: tokens });
  context.after(() => server.close());
  // A folder is all that a tag needs to be listed.
  for (const path of repositories)
    mkdirSync(join(server.repositoriesFolder, path, '_manifests/tags/1.0'), { recursive: true });
  const client = createRegistry({ hosts: () => ({ credential: tokens.credential }), ...about });
  context.after(() => client.close());
  const listTags = async (path: string) => (await client.listTags({ host: server.host, path }, { signal })).tags;
  return { server, tokens, client, listTags };
}

describe("Debian's docker-registry with a token server", () => {
  it('is read with one token for each repository', async (t) => {
    const { server, tokens, client, listTags } = await openTokenRegistry(t, { repositories: [] });
    const repository = { host: server.host, path: 'acme/web' };
    const digest = await pushImage({
      url: server.url,
      credential: tokens.credential,
      repository: 'acme/web',
      tag: '1.0',
    });
    const pushes = tokens.requests.length;
    assert.deepEqual(await listTags('acme/web'), ['1.0']);
    assert.deepEqual(await listTags('acme/web'), ['1.0']);
    assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
    assert.deepEqual(tokens.requests.slice(pushes), [
      { method: 'GET', grant: 'basic', scopes: ['repository:acme/web:pull'], clientId: 'tallyman', status: 200 },
    ]);
  });

  it('takes an identity token by POST', async (t) => {
    const { server, tokens } = await openTokenRegistry(t, { repositories: ['acme/web'] });
    const client = createRegistry({ hosts: () => ({ credential: { identityToken: tokens.refreshToken } }) });
    t.after(() => client.close());
    const scopes = ['repository:acme/web:pull'];
    assert.deepEqual((await client.listTags({ host: server.host, path: 'acme/web' }, { signal })).tags, ['1.0']);
    assert.deepEqual(tokens.requests, [
      { method: 'POST', grant: 'refresh_token', scopes, clientId: 'tallyman', status: 200 },
    ]);
  });

  it('takes a password by POST where GET is not known', async (t) => {
    const { tokens, listTags } = await openTokenRegistry(t, { repositories: ['acme/web'], postOnly: true });
    assert.deepEqual(await listTags('acme/web'), ['1.0']);
    assert.deepEqual(
      tokens.requests.map(({ grant, status }) => [grant, status]),
      [
        ['basic', 405],
        ['password', 200],
      ],
    );
  });

  it('is asked with a new token shortly before the old one ends', async (t) => {
    let aheadMs = 0;
    const client = { now: () => Date.now() + aheadMs };
    const { tokens, listTags } = await openTokenRegistry(t, { repositories: ['acme/web'], lifeSeconds: 300, client });
    for (const [ahead, wanted] of [
      [0, 1],
      [290_000, 1],
      [296_000, 2],
    ] as const) {
      aheadMs = ahead;
      await listTags('acme/web');
      assert.equal(tokens.requests.length, wanted, `${ahead} ms later`);
    }
  });

  it('is asked with a new token after it has refused one that ended too soon', async (t) => {
    const { tokens, listTags } = await openTokenRegistry(t, { repositories: ['acme/web'], trueLifeSeconds: 2 });
    await listTags('acme/web');
    await wait(2100);
    assert.deepEqual(await listTags('acme/web'), ['1.0']);
    assert.equal(tokens.requests.length, 2);
  });

  it('stays closed where no token is of use', async (t) => {
    const { listTags, tokens } = await openTokenRegistry(t, { repositories: ['acme/web'], trueLifeSeconds: -1 });
    await assert.rejects(listTags('acme/web'), { code: 'RegistryDenied', message: /answered 401/ });
    assert.equal(tokens.requests.length, 1);
  });

  it('refuses a wrong password', async (t) => {
    const client = { hosts: () => ({ credential: { username: 'tally', password: 'wrong' } }) };
    const { listTags } = await openTokenRegistry(t, { repositories: ['acme/web'], client });
    await assert.rejects(listTags('acme/web'), {
      code: 'RegistryDenied',
      message: /the token server "127\.0\.0\.1:\d+" answered 401/,
    });
  });

  it('refuses a token that may do nothing: of nobody, and of one who may not pull there', async (t) => {
    const grant = (path: string) => (path.startsWith('acme/') ? ['pull'] : []);
    const { server, tokens, listTags } = await openTokenRegistry(t, { repositories: ['acme/web', 'other/web'], grant });
    const stranger = createRegistry({ hosts: () => ({}) });
    t.after(() => stranger.close());
    const denied = { code: 'RegistryDenied', message: /answered 401 \(UNAUTHORIZED: authentication required\)/ };
    assert.deepEqual(await listTags('acme/web'), ['1.0']);
    await assert.rejects(listTags('other/web'), denied);
    await assert.rejects(stranger.listTags({ host: server.host, path: 'acme/web' }, { signal }), denied);
    assert.deepEqual(
      new Set(tokens.requests.map(({ status }) => status)),
      new Set([200]),
      'it is the registry that refuses',
    );
  });

  it('is asked for many repositories at once, with one token for each', async (t) => {
    const repositories = Array.from({ length: 40 }, (_, index) => `acme/app-${index}`);
    const { tokens, listTags } = await openTokenRegistry(t, { repositories });
    const twice = [...repositories, ...repositories];
    for (const tags of await Promise.all(twice.map(listTags))) assert.deepEqual(tags, ['1.0']);
    assert.deepEqual(
      tokens.requests.flatMap(({ scopes }) => scopes).sort(),
      repositories.map((path) => `repository:${path}:pull`).sort(),
    );
  });
});
