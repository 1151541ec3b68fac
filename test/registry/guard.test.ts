import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, it } from 'node:test';
import { createGuardedLookup } from '../../src/registry/guard.ts';
import { openRegistry } from './open-registry.ts';

const { signal } = new AbortController();

/** A name server with the names given; counts what it is asked. */
function createNames(names: Readonly<Record<string, readonly string[]>>): { lookup: LookupFunction; asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, options, callback) => {
    asked.push(hostname);
    const [first, ...rest] = (names[hostname] ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    if (first === undefined) callback(Object.assign(new Error(), { code: 'ENOTFOUND' }), '');
    else if (options.all === true) callback(null, [first, ...rest]);
    else callback(null, first.address, first.family);
  };
  return { lookup, asked };
}

const resolve = (lookup: LookupFunction, name: string, all = true): Promise<string[]> =>
  new Promise((done, fail) => {
    lookup(name, { all }, (error, found: string | LookupAddress[]) => {
      if (error !== null) fail(error);
      else done(Array.isArray(found) ? found.map(({ address }) => address) : [found]);
    });
  });

describe('createGuardedLookup', () => {
  const names = {
    'public.example': ['203.0.113.7'],
    'private.example': ['10.0.0.7'],
    'local.example': ['127.0.0.1'],
    'mapped.example': ['::ffff:10.0.0.7'],
    'translated.example': ['64:ff9b::10.0.0.7'],
    'open.example': ['64:ff9b::203.0.113.7'],
    'metadata.example': ['169.254.169.254'],
    'link.example': ['fe80::1%eth0'],
    'mixed.example': ['10.0.0.7', '203.0.113.7'],
    'inner.example': ['10.0.0.7', '127.0.0.1'],
  };
  const rows: [origin: string, to: string, found: string[] | RegExp][] = [
    ['public.example', 'public.example', ['203.0.113.7']],
    ['public.example', 'open.example', ['64:ff9b::203.0.113.7']],
    ['public.example', 'private.example', /private address/],
    ['public.example', 'mapped.example', /private address/],
    ['public.example', 'translated.example', /private address/],
    ['public.example', 'local.example', /loopback address/],
    ['public.example', 'metadata.example', /link-local address/],
    ['public.example', 'link.example', /link-local address/],
    ['public.example', 'mixed.example', ['203.0.113.7']],
    ['private.example', 'private.example', ['10.0.0.7']],
    ['private.example', 'public.example', ['203.0.113.7']],
    ['private.example', 'local.example', /loopback address/],
    ['private.example', 'metadata.example', /link-local address/],
    ['10.0.0.9', 'private.example', ['10.0.0.7']],
    ['[fd00::1]', 'private.example', ['10.0.0.7']],
    ['127.0.0.1', 'local.example', ['127.0.0.1']],
    ['localhost', 'private.example', ['10.0.0.7']],
    ['local.example', 'metadata.example', /link-local address/],
    ['mixed.example', 'public.example', ['203.0.113.7']],
    ['mixed.example', 'mixed.example', ['203.0.113.7']],
    ['mixed.example', 'private.example', /private address/],
    ['inner.example', 'private.example', ['10.0.0.7']],
    ['inner.example', 'local.example', /loopback address/],
    ['unknown.example', 'public.example', ['203.0.113.7']],
    ['unknown.example', 'private.example', /private address/],
  ];
  for (const [origin, to, found] of rows) {
    it(`${found instanceof RegExp ? 'refuses' : 'takes'} ${to} after ${origin}`, async () => {
      const lookup = createGuardedLookup(origin, createNames(names).lookup);
      if (found instanceof RegExp) await assert.rejects(resolve(lookup, to), { hostname: to, message: found });
      else assert.deepEqual(await resolve(lookup, to), found);
    });
  }

  it('gives one address where one is asked for', async () => {
    const lookup = createGuardedLookup('public.example', createNames(names).lookup);
    assert.deepEqual(await resolve(lookup, 'mixed.example', false), ['203.0.113.7']);
  });

  it('passes on that a name does not resolve', async () => {
    const lookup = createGuardedLookup('public.example', createNames(names).lookup);
    await assert.rejects(resolve(lookup, 'none.example'), { code: 'ENOTFOUND' });
  });
});

describe('the way of a registry to another host', () => {
  /** A registry under a name, and a host of another name that it redirects to or whose realm it names. */
  async function open(
    t: import('node:test').TestContext,
    { by, names, trusts = false }: { by: 'redirect' | 'realm'; names: Record<string, string[]>; trusts?: boolean },
  ) {
    const { lookup } = createNames(names);
    const inner = await openRegistry(t, {
      server: {
        intercept: ({ url = '' }, response) => {
          response.end(url.startsWith('/token') ? '{"token":"t"}' : '{"tags":["inner"]}');
          return true;
        },
      },
    });
    const port = inner.server.host.split(':')[1];
    const origin = `http://inner.example:${port}`;
    const outer = await openRegistry(t, {
      lookup,
      settings: { plainHttp: true, ...(trusts && { trustedOrigins: [origin] }) },
      server: {
        intercept: ({ url, headers }, response) => {
          if (by === 'redirect') response.writeHead(307, { location: `${origin}${url}` }).end();
          else if (headers.authorization !== undefined) response.end('{"tags":["outer"]}');
          else response.writeHead(401, { 'www-authenticate': `Bearer realm="${origin}/token",service="s"` }).end();
          return true;
        },
      },
    });
    const repository = { host: `outer.example:${outer.server.host.split(':')[1]}`, path: 'acme/web' };
    return { inner, client: outer.client, repository };
  }

  for (const by of ['redirect', 'realm'] as const) {
    const hidden = { 'outer.example': ['127.0.0.1'], 'inner.example': ['169.254.169.254'] };

    it(`by a ${by} ends where its name turns out to be inside`, async (t) => {
      const { inner, client, repository } = await open(t, { by, names: hidden });
      await assert.rejects(client.listTags(repository, { signal }), {
        code: 'RegistryInvalid',
        message: /"inner\.example", where the registry leads to, has a link-local address/,
        remedy: /trustedOrigins/,
      });
      assert.equal(inner.server.requests.length, 0);
    });

    it(`by a ${by} is open where both are on one network`, async (t) => {
      const names = { 'outer.example': ['127.0.0.1'], 'inner.example': ['127.0.0.1'] };
      const { client, repository } = await open(t, { by, names });
      assert.deepEqual((await client.listTags(repository, { signal })).tags, [by === 'redirect' ? 'inner' : 'outer']);
    });
  }

  it('is not looked at where the operator trusts it', async (t) => {
    const names = { 'outer.example': ['127.0.0.1'], 'inner.example': ['127.0.0.1'] };
    const { inner, client, repository } = await open(t, { by: 'realm', names, trusts: true });
    await client.listTags(repository, { signal });
    assert.equal(inner.server.requests.length, 1);
  });
});
