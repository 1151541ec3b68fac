import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readUploadTimes } from '../../src/registry/upload-times.ts';
import { openRegistry, sendJson } from './open-registry.ts';

const uploadedMs = Date.UTC(2026, 0, 1);

describe('readUploadTimes', () => {
  const rows: [name: string, manifest: unknown, found: [string, number][]][] = [
    [
      'the time of each tag',
      { 'sha256:a': { tag: ['1.0', 'latest'], timeUploadedMs: `${uploadedMs}` } },
      [
        ['1.0', uploadedMs],
        ['latest', uploadedMs],
      ],
    ],
    ['a time that is a number', { 'sha256:a': { tag: ['1.0'], timeUploadedMs: uploadedMs } }, [['1.0', uploadedMs]]],
    ['a manifest without tags', { 'sha256:a': { timeUploadedMs: `${uploadedMs}` } }, []],
    ['no time', { 'sha256:a': { tag: ['1.0'] } }, []],
    ['a time before there were registries', { 'sha256:a': { tag: ['1.0'], timeUploadedMs: '0' } }, []],
    ['a time that will not come', { 'sha256:a': { tag: ['1.0'], timeUploadedMs: '9e99' } }, []],
    [
      'tags that are none',
      { 'sha256:a': { tag: [5, null, '1.0'], timeUploadedMs: uploadedMs } },
      [['1.0', uploadedMs]],
    ],
    ['entries that are none', { a: null, b: [], c: 'x' }, []],
    ['nothing', undefined, []],
    ['a list', [{ tag: ['1.0'], timeUploadedMs: uploadedMs }], []],
  ];
  for (const [name, manifest, found] of rows) {
    it(`reads ${name}`, () => {
      const pushedMs = new Map<string, number>();
      readUploadTimes(manifest, pushedMs);
      assert.deepEqual([...pushedMs], found);
    });
  }

  it('is given along with the tags, without another request', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: {
        intercept: (_request, response) =>
          sendJson(response, {
            name: 'acme/web',
            child: [],
            tags: ['1.0'],
            manifest: {
              [`sha256:${'a'.repeat(64)}`]: { tag: ['1.0'], timeUploadedMs: `${uploadedMs}`, timeCreatedMs: '0' },
            },
          }),
      },
    });
    const listing = await client.listTags(repository, { signal });
    assert.deepEqual(listing, { tags: ['1.0'], pushedMs: new Map([['1.0', uploadedMs]]) });
    assert.equal(server.requests.length, 1);
  });
});
