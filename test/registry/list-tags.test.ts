import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { makeTags, openRegistry, sendJson } from './open-registry.ts';

/** Answers page by page, by the query of the request: `?n=1000` -> what is sent. */
type Pages = Record<string, { tags?: unknown; link?: string | string[]; status?: number }>;

const base = '/v2/acme/web/tags/list';

function servePages(pages: Pages) {
  return ({ url = '', headers }: IncomingMessage, response: ServerResponse): boolean => {
    const page = pages[url.slice(url.indexOf('?') === -1 ? url.length : url.indexOf('?'))];
    if (!url.startsWith(base) || page === undefined) return sendJson(response, { errors: [] }, { status: 404 });
    const link = [page.link ?? []].flat().map((line) => line.replace('HOST', headers.host ?? ''));
    return sendJson(
      response,
      { name: 'acme/web', tags: page.tags },
      { status: page.status ?? 200, headers: link.length === 0 ? {} : { link } },
    );
  };
}

describe('listTags', () => {
  it('reads all pages of a registry that pages', async (t) => {
    const { server, client, repository, signal, listings } = await openRegistry(t, { server: { pageSize: 3 } });
    for (const tag of makeTags(8)) server.publish('acme/web', tag);
    assert.deepEqual((await client.listTags(repository, { signal })).tags, makeTags(8));
    assert.deepEqual(listings(), [`${base}?n=1000`, `${base}?n=3&last=t0003`, `${base}?n=3&last=t0006`]);
  });

  const forms: [name: string, link: string | string[]][] = [
    ['relative', `<${base}?page=2>; rel="next"`],
    ['absolute', `<http://HOST${base}?page=2>; rel="next"`],
    ['only a query', '<?page=2>; rel="next"'],
    ['without brackets', `${base}?page=2; rel="next"`],
    ['without quotes', `<${base}?page=2>; rel=next`],
    ['with a user in it', `<http://user:pass@HOST${base}?page=2>; rel="next"`],
    ['on a second header line', [`<${base}?page=1>; rel="prev"`, `<${base}?page=2>; rel="next"`]],
    ['of Artifactory, without the repository', '</v2/tags/list?n=1000&last=b>; rel="next"'],
  ];
  for (const [name, link] of forms) {
    it(`follows a link: ${name}`, async (t) => {
      const pages = {
        '?n=1000': { tags: ['a', 'b'], link },
        '?page=2': { tags: ['c'] },
        '?n=1000&last=b': { tags: ['c'] },
      };
      const { client, repository, signal } = await openRegistry(t, { server: { intercept: servePages(pages) } });
      assert.deepEqual((await client.listTags(repository, { signal })).tags, ['a', 'b', 'c']);
    });
  }

  const foreign: [name: string, link: string, found: RegExp][] = [
    ['another host', '<https://evil.example.com/v2/acme/web/tags/list?page=2>; rel="next"', /evil\.example\.com/],
    ['another port', `<http://127.0.0.1:1${base}?page=2>; rel="next"`, /127\.0\.0\.1:1"/],
    ['another scheme', `<https://HOST${base}?page=2>; rel="next"`, /leads to "https:/],
    ['another repository', '</v2/acme/other/tags/list?page=2>; rel="next"', /another repository/],
    ['no URL', '<http://[>; rel="next"', /is no URL/],
  ];
  for (const [name, link, found] of foreign) {
    it(`refuses a link to ${name}`, async (t) => {
      const intercept = servePages({ '?n=1000': { tags: ['a'], link } });
      const { client, repository, signal, server } = await openRegistry(t, { server: { intercept } });
      await assert.rejects(client.listTags(repository, { signal }), { code: 'RegistryInvalid', message: found });
      assert.equal(server.requests.length, 1);
    });
  }

  it('says ListingTruncated where pages go round, or go on too long', async (t) => {
    const round = servePages({
      '?n=1000': { tags: ['a'], link: `<${base}?page=2>; rel="next"` },
      '?page=2': { tags: [], link: `<${base}?n=1000>; rel="next"` },
    });
    const first = await openRegistry(t, { server: { intercept: round } });
    await assert.rejects(first.client.listTags(first.repository, { signal: first.signal }), {
      code: 'ListingTruncated',
      message: /a page points back to one already read, the whole list was wanted/,
    });
    const second = await openRegistry(t, { server: { pageSize: 1 }, settings: { maxPages: 4 } });
    for (const tag of makeTags(5)) second.server.publish('acme/web', tag);
    await assert.rejects(second.client.listTags(second.repository, { signal: second.signal }), {
      code: 'ListingTruncated',
      message: /more pages than 4/,
    });
    const third = await openRegistry(t, { limits: { maxTags: 4 } });
    for (const tag of makeTags(5)) third.server.publish('acme/web', tag);
    await assert.rejects(third.client.listTags(third.repository, { signal: third.signal }), {
      code: 'ListingTruncated',
      message: /more tags than 4/,
    });
  });

  it('takes exactly as many pages as allowed', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: { pageSize: 1 },
      settings: { maxPages: 5 },
    });
    for (const tag of makeTags(5)) server.publish('acme/web', tag);
    assert.equal((await client.listTags(repository, { signal })).tags.length, 5);
  });

  it('fails as a whole when a later page fails', async (t) => {
    const pages = { '?n=1000': { tags: ['a'], link: `<${base}?page=2>; rel="next"` }, '?page=2': { status: 500 } };
    const { client, repository, signal } = await openRegistry(t, { server: { intercept: servePages(pages) } });
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'RegistryUnavailable',
      message: /answered 500/,
    });
  });

  for (const status of [400, 405]) {
    it(`asks without a page size after ${status}`, async (t) => {
      const pages = { '?n=1000': { status }, '': { tags: ['a'] } };
      const { client, repository, signal } = await openRegistry(t, { server: { intercept: servePages(pages) } });
      assert.deepEqual((await client.listTags(repository, { signal })).tags, ['a']);
    });
  }

  it('goes on after a full page without a link, as Nexus sends', async (t) => {
    const pages = {
      '?n=1000': { tags: makeTags(1000) },
      '?n=1000&last=t1000': { tags: makeTags(1000, 1001) },
      '?n=1000&last=t2000': { tags: ['t2001'] },
    };
    const { client, repository, signal } = await openRegistry(t, { server: { intercept: servePages(pages) } });
    assert.deepEqual((await client.listTags(repository, { signal })).tags, makeTags(2001));
  });

  it('takes a full page as the end where nothing follows it', async (t) => {
    const pages = { '?n=1000': { tags: makeTags(1000) }, '?n=1000&last=t1000': { tags: null } };
    const { client, repository, signal } = await openRegistry(t, { server: { intercept: servePages(pages) } });
    assert.equal((await client.listTags(repository, { signal })).tags.length, 1000);
  });

  it('tells a registry that never pages from one that cannot go on', async (t) => {
    const all = { tags: makeTags(1000) };
    const whole = servePages({ '?n=1000': all, '?n=1000&last=t1000': all, '?n=999': all });
    const first = await openRegistry(t, { server: { intercept: whole } });
    assert.equal((await first.client.listTags(first.repository, { signal: first.signal })).tags.length, 1000);
    const cut = servePages({ '?n=1000': all, '?n=1000&last=t1000': all, '?n=999': { tags: makeTags(999) } });
    const second = await openRegistry(t, { server: { intercept: cut } });
    await assert.rejects(second.client.listTags(second.repository, { signal: second.signal }), {
      code: 'ListingTruncated',
    });
  });

  it('drops what is no tag, and says how much', async (t) => {
    const hex = 'a'.repeat(64);
    const tags = [
      '1.0',
      null,
      '1.0',
      7,
      {},
      `sha256:${hex}`,
      `sha256-${hex}`,
      `sha256-${hex}.sig`,
      `sha256-${hex}.att`,
    ].concat([`sha256-${hex}.sbom`, '', '.hidden', 'a b', 'x'.repeat(129), '__proto__', 'sha256-abc']);
    const { client, repository, signal, events } = await openRegistry(t, {
      server: { intercept: servePages({ '?n=1000': { tags } }) },
    });
    assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0', '__proto__', 'sha256-abc']);
    assert.deepEqual(events, [{ kind: 'dropped-tags', repository: `${repository.host}/acme/web`, count: 12 }]);
  });

  it('reads an empty repository', async (t) => {
    const { client, repository, signal } = await openRegistry(t, {
      server: { intercept: servePages({ '?n=1000': { tags: null } }) },
    });
    assert.deepEqual((await client.listTags(repository, { signal })).tags, []);
  });

  const shapes: [name: string, body: string][] = [
    ['a page of a proxy', '<html>Sign in</html>'],
    ['JSON cut short', '{"name":"acme/web","tags":["1.0","1.'],
    ['a list', '["1.0"]'],
    ['no tags', '{"name":"acme/web"}'],
    ['tags that are no list', '{"tags":{"0":"1.0"}}'],
    ['nothing', ''],
  ];
  for (const [name, body] of shapes) {
    it(`refuses ${name}`, async (t) => {
      const { client, repository, signal } = await openRegistry(t, {
        server: { intercept: (_request, response) => Boolean(response.end(body)) },
      });
      await assert.rejects(client.listTags(repository, { signal }), {
        code: 'RegistryInvalid',
        message: /is no tag list/,
      });
    });
  }

  it('says both of what a missing repository can be', async (t) => {
    const { client, repository, signal } = await openRegistry(t);
    await assert.rejects(client.listTags(repository, { signal }), {
      code: 'ImageNotFound',
      message:
        `Cannot list the tags of "${repository.host}/acme/web": the registry answered 404 (NAME_UNKNOWN: name unknown): ` +
        'it does not exist, or may not be seen without credentials, one that can be pulled was wanted',
    });
  });
});
