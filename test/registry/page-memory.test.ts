import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type OpenRegistry, openRegistry, sendJson } from './open-registry.ts';

/** A registry with entity tags: the list itself, quoted. `conditions` are the If-None-Match headers it got. */
async function openTagged(t: Parameters<typeof openRegistry>[0], pages: Record<string, string[]>) {
  const conditions: (string | undefined)[] = [];
  const open: OpenRegistry = await openRegistry(t, {
    server: {
      intercept: ({ url = '', headers }, response) => {
        const last = new URL(url, 'http://registry').searchParams.get('last') ?? '';
        const tags = pages[last] ?? [];
        const next = tags.at(-1) ?? '';
        const etag = `"${tags.join(' ')}"`;
        conditions.push(headers['if-none-match']);
        const link = pages[next] && { link: `</v2/acme/web/tags/list?last=${next}>; rel=next` };
        if (headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end().writableEnded;
        return sendJson(response, { tags }, { headers: { etag, ...link } });
      },
    },
  });
  const list = async () => (await open.client.listTags(open.repository, { signal: open.signal })).tags;
  return { list, conditions };
}

describe('entity tags of lists', () => {
  it('spare an unchanged list', async (t) => {
    const pages = { '': ['1.0', '1.1'] };
    const { list, conditions } = await openTagged(t, pages);
    assert.deepEqual(await list(), ['1.0', '1.1']);
    assert.deepEqual(await list(), ['1.0', '1.1']);
    pages[''] = ['1.0', '1.1', '1.2'];
    assert.deepEqual(await list(), ['1.0', '1.1', '1.2']);
    assert.deepEqual(conditions, [undefined, '"1.0 1.1"', '"1.0 1.1"']);
  });

  it('hold for each page on its own, with its link', async (t) => {
    const pages: Record<string, string[]> = { '': ['a'], a: ['b'], b: ['c'] };
    const { list, conditions } = await openTagged(t, pages);
    assert.deepEqual(await list(), ['a', 'b', 'c']);
    pages.b = ['c', 'd'];
    assert.deepEqual(await list(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(conditions.slice(3), ['"a"', '"b"', '"c"']);
  });

  it('are not made up where a registry sends none', async (t) => {
    const seen: (string | undefined)[] = [];
    const { client, repository, signal } = await openRegistry(t, {
      server: {
        intercept: ({ headers }, response) => {
          seen.push(headers['if-none-match']);
          return sendJson(response, { tags: ['1.0'] });
        },
      },
    });
    await client.listTags(repository, { signal });
    await client.listTags(repository, { signal });
    assert.deepEqual(seen, [undefined, undefined]);
  });

  it('do not make a list of a 304 that nobody asked for', async (t) => {
    const { client, repository, signal } = await openRegistry(t, {
      server: { intercept: (_request, response) => response.writeHead(304).end().writableEnded },
    });
    await assert.rejects(client.listTags(repository, { signal }), { code: 'RegistryInvalid', message: /answered 304/ });
  });
});
