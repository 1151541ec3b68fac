import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { openRegistry } from './open-registry.ts';

const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('fetchManifest', () => {
  it('reads digest and annotations of a published image', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t);
    const digest = server.publish('acme/web', '1.0', { 'org.opencontainers.image.revision': 'abc' });
    const manifest = await client.fetchManifest(repository, '1.0', { signal });
    assert.equal(manifest.digest, digest);
    assert.equal(manifest.annotations['org.opencontainers.image.revision'], 'abc');
  });

  const rows: [name: string, contentType: string | undefined, body: string, found: Record<string, string> | RegExp][] =
    [
      ['an index', ociIndex, `{"mediaType":"${ociIndex}","manifests":[],"annotations":{"a":"b"}}`, { a: 'b' }],
      ['a manifest without mediaType', ociManifest, '{"schemaVersion":2,"annotations":{"a":"b"}}', { a: 'b' }],
      ['a Docker manifest', dockerManifest, `{ "mediaType": "${dockerManifest}" }\n`, {}],
      ['a type with parameters', `${ociManifest}; charset=utf-8`, '{}', {}],
      ['a type in the body alone', undefined, `{"mediaType":"${ociManifest}"}`, {}],
      ['a type in the body, JSON in the header', 'application/json', `{"mediaType":"${ociManifest}"}`, {}],
      ['annotations that are no text', ociManifest, '{"annotations":{"a":1,"b":"c","d":null}}', { b: 'c' }],
      ['annotations that are no object', ociManifest, '{"annotations":["a"]}', {}],
      ['two types', ociManifest, `{"mediaType":"${ociIndex}"}`, /body is of type/],
      [
        'an old schema',
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
        '{"schemaVersion":1}',
        /v1\+prettyjws/,
      ],
      ['no type at all', undefined, '{"schemaVersion":2}', /media type is ""/],
      ['what is no object', ociManifest, '[]', /no JSON object/],
      ['JSON cut short', ociManifest, '{"schemaVersion":2,"annot', /no JSON object/],
    ];
  for (const [name, contentType, body, found] of rows) {
    it(`${found instanceof RegExp ? 'refuses' : 'reads'} ${name}`, async (t) => {
      const { client, repository, signal } = await openRegistry(t, {
        server: {
          intercept: (_request, response) => {
            if (contentType !== undefined) response.setHeader('content-type', contentType);
            // Wrong on purpose: the bytes count.
            response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
            return Boolean(response.end(body));
          },
        },
      });
      const fetching = client.fetchManifest(repository, '1.0', { signal });
      if (found instanceof RegExp) await assert.rejects(fetching, { code: 'RegistryInvalid', message: found });
      else assert.deepEqual(await fetching, { digest: sha256(body), annotations: found, platforms: undefined });
    });
  }

  it('asks for indexes as well as manifests', async (t) => {
    const accepts: (string | undefined)[] = [];
    const { server, client, repository, signal } = await openRegistry(t, {
      server: { intercept: ({ headers }) => accepts.push(headers.accept) === 0 },
    });
    server.publish('acme/web', '1.0');
    await client.fetchManifest(repository, '1.0', { signal });
    assert.equal(accepts[0]?.split(', ').length, 4);
    assert.ok(accepts[0]?.startsWith(ociIndex));
  });

  it('says both of what a missing tag can be', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t);
    server.publish('acme/web', '1.0');
    await assert.rejects(client.fetchManifest(repository, '2.0', { signal }), {
      code: 'ImageNotFound',
      message: new RegExp(
        `^Cannot fetch the manifest of "${repository.host}/acme/web:2.0": .*does not exist, or may not be seen`,
      ),
    });
  });

  for (const tag of ['..', '../../other', 'a/b', '', 'a?b']) {
    it(`refuses the tag ${JSON.stringify(tag)} before it asks`, async (t) => {
      const { server, client, repository, signal } = await openRegistry(t);
      await assert.rejects(client.fetchManifest(repository, tag, { signal }), { code: 'ReferenceInvalid' });
      assert.equal(server.requests.length, 0);
    });
  }
});
