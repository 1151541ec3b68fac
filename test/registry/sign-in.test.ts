import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { openRegistry, sendJson } from './open-registry.ts';

/** What says where an image comes from: then its labels are not read. */
const annotations = { 'org.opencontainers.image.source': 'https://git.example/acme/web' };
const credential = { username: 'tally', password: 'open sesame' };
const short = (requests: readonly { url: string; authorization: string | undefined }[]) =>
  requests.map(({ url, authorization = '-' }) => `${url.replace(/\?.*/, '')} ${authorization.split(' ')[0]}`);

describe('sign-in', () => {
  it('is left out where none is asked for', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, { settings: { credential } });
    server.publish('acme/web', '1.0');
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    assert.deepEqual(short(server.requests), ['/v2/acme/web/tags/list -']);
  });

  it('answers Basic, and remembers it', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: { auth: 'basic' },
      settings: { credential },
    });
    server.publish('acme/web', '1.0', annotations);
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    await client.fetchManifest(repository, '1.0', { signal });
    assert.deepEqual(short(server.requests), [
      '/v2/acme/web/tags/list -',
      '/v2/acme/web/tags/list Basic',
      '/v2/acme/web/manifests/1.0 Basic',
    ]);
  });

  it('gets a token by the challenge, one for each repository, and keeps it', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: { auth: 'bearer' },
      settings: { credential },
    });
    server.publish('acme/web', '1.0', annotations);
    server.publish('acme/api', '2.0');
    await client.listTags(repository, { signal });
    await client.fetchManifest(repository, '1.0', { signal });
    await client.listTags({ ...repository, path: 'acme/api' }, { signal });
    assert.deepEqual(short(server.requests), [
      '/v2/acme/web/tags/list -',
      '/token Basic',
      '/v2/acme/web/tags/list Bearer',
      '/v2/acme/web/manifests/1.0 Bearer',
      '/token Basic',
      '/v2/acme/api/tags/list Bearer',
    ]);
  });

  it('does not insist on a token for a repository that everybody may read', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: {
        auth: 'bearer',
        intercept: ({ url = '' }, response) =>
          (url.includes('/token') && url.includes('open') && sendJson(response, {}, { status: 403 })) ||
          (url.startsWith('/v2/acme/open/') && sendJson(response, { tags: ['1.0'] })),
      },
      settings: { credential },
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    assert.deepEqual((await client.listTags({ ...repository, path: 'acme/open' }, { signal })).tags, ['1.0']);
    assert.deepEqual(short(server.requests).slice(3), ['/token Basic', '/v2/acme/open/tags/list -']);
  });

  it('sends a bearer token as it stands', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential: { bearerToken: 'abc' } },
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    assert.deepEqual(
      server.requests.map(({ authorization }) => authorization),
      ['Bearer abc'],
    );
  });

  it('shares the anonymous token of ghcr.io among repositories, and no other', async (t) => {
    const askedFor = async (host: string): Promise<number> => {
      let tokens = 0;
      const { server, client, signal } = await openRegistry(t, {
        server: {
          intercept: ({ url = '', headers }, response) => {
            if (url.startsWith('/token')) {
              tokens += 1;
              return sendJson(response, { token: `t${tokens}` });
            }
            if (headers.authorization !== undefined) return false;
            const challenge = 'Bearer realm="/token",service="x"';
            return sendJson(response, {}, { status: 401, headers: { 'www-authenticate': challenge } });
          },
        },
        hosts: () => ({ endpoint: server.url }),
      });
      for (const path of ['acme/web', 'acme/api']) {
        server.publish(path, '1.0');
        await client.listTags({ host, path }, { signal });
      }
      return tokens;
    };
    assert.equal(await askedFor('ghcr.io'), 1);
    assert.equal(await askedFor('quay.io'), 2);
  });

  it('refreshes once when the registry forgets a token', async (t) => {
    let forget = false;
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      server: {
        auth: 'bearer',
        intercept: ({ headers }, response) => {
          if (!forget || headers.authorization?.startsWith('Bearer') !== true) return false;
          forget = false;
          const realm = `http://${headers.host}/token`;
          return sendJson(response, {}, { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } });
        },
      },
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    forget = true;
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    assert.equal(server.requests.filter(({ url }) => url.startsWith('/token')).length, 2);
  });

  it('renews by the clock, without being refused first', async (t) => {
    let nowMs = Date.now();
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      server: { auth: 'bearer' },
      now: () => nowMs,
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    nowMs += 296_000;
    await client.listTags(repository, { signal });
    assert.deepEqual(short(server.requests).slice(3), ['/token Basic', '/v2/acme/web/tags/list Bearer']);
  });

  it('asks for the challenge anew when its token server has moved', async (t) => {
    let realm = '/token';
    let nowMs = Date.now();
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      now: () => nowMs,
      server: {
        intercept: ({ url = '', headers }, response) => {
          if (url.startsWith(realm)) return sendJson(response, { token: 'abc' });
          if (headers.authorization === 'Bearer abc') return false;
          const challenge = `Bearer realm="${realm}"`;
          return sendJson(
            response,
            {},
            { status: url.startsWith('/v2/') ? 401 : 404, headers: { 'www-authenticate': challenge } },
          );
        },
      },
    });
    server.publish('acme/web', '1.0');
    await client.listTags(repository, { signal });
    realm = '/elsewhere';
    nowMs += 60_000;
    // The old token server answers 404, by GET and by POST; the registry is asked for its challenge again.
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
  });

  it('asks /v2/ where the 401 has no challenge', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      server: {
        auth: 'basic',
        intercept: ({ url, headers }, response) =>
          url !== '/v2/' && headers.authorization === undefined && sendJson(response, {}, { status: 401 }),
      },
    });
    server.publish('acme/web', '1.0');
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
    assert.deepEqual(short(server.requests), ['/v2/acme/web/tags/list -', '/v2/ -', '/v2/acme/web/tags/list Basic']);
  });

  it('ends a registry that refuses for ever', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      server: {
        auth: 'bearer',
        intercept: ({ url = '', headers }, response) =>
          !url.startsWith('/token') &&
          sendJson(
            response,
            { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
            { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${headers.host}/token"` } },
          ),
      },
    });
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryDenied',
      message: new RegExp(
        `^Cannot list the tags of "${server.host}/acme/web": the registry answered 401 \\(UNAUTHORIZED: .*\\): ` +
          'it may not be pulled with the credentials configured for the host, or does not exist',
      ),
    });
    assert.equal(server.requests.length, 3);
  });

  it('says that there were no credentials, and sends a wrong password once', async (t) => {
    const without = await openRegistry(t, { server: { auth: 'basic' } });
    await assert.rejects(without.client.listTags(without.repository, { signal: without.signal }), {
      code: 'RegistryDenied',
      message: /without credentials, or does not exist/,
    });
    const wrong = await openRegistry(t, {
      server: { auth: 'basic' },
      settings: { credential: { username: 'tally', password: 'wrong' } },
    });
    await assert.rejects(wrong.client.listTags(wrong.repository, { signal: wrong.signal }), { code: 'RegistryDenied' });
    assert.deepEqual(short(wrong.server.requests), ['/v2/acme/web/tags/list -', '/v2/acme/web/tags/list Basic']);
  });

  it('uses a changed credential at the next call', async (t) => {
    const settings = { credential: { username: 'tally', password: 'old' } };
    const { server, client, repository, signal } = await openRegistry(t, {
      server: { auth: 'bearer' },
      hosts: () => ({ ...settings }),
    });
    server.publish('acme/web', '1.0');
    await assert.rejects(client.listTags(repository, { signal }), { code: 'RegistryDenied' });
    settings.credential = { username: 'tally', password: 'open sesame' };
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0']);
  });

  it('never goes to whom the registry redirects, whatever they ask for', async (t) => {
    const seen: (string | undefined)[] = [];
    const thief = createServer(({ headers }, response) => {
      seen.push(headers.authorization);
      const challenge = `Basic realm="x", Bearer realm="http://${headers.host}/token"`;
      sendJson(response, { token: 'x' }, { status: 401, headers: { 'www-authenticate': challenge } });
    });
    await new Promise<void>((done) => thief.listen(0, '127.0.0.1', done));
    t.after(() => thief.close());
    const address = thief.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { client, repository, signal } = await openRegistry(t, {
      settings: { credential },
      server: {
        auth: 'basic',
        intercept: ({ url = '' }, response) => {
          if (url === '/v2/') return false;
          response.writeHead(307, { location: `http://127.0.0.1:${port}${url}` }).end();
          return true;
        },
      },
    });
    await assert.rejects(client.listTags(repository, { signal }), { code: 'RegistryDenied' });
    assert.deepEqual(seen, [undefined, undefined]);
  });
});
