import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { formatPlatforms, parseManifest } from '../../src/registry/manifest.ts';

const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const digest = `sha256:${'a'.repeat(64)}`;
const child = `{"digest":"${digest}"}`;

describe('parseManifest', () => {
  const rows: [name: string, contentType: string | undefined, body: string, found: Record<string, string> | RegExp][] =
    [
      ['an index', ociIndex, `{"mediaType":"${ociIndex}","manifests":[${child}],"annotations":{"a":"b"}}`, { a: 'b' }],
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
    it(`${found instanceof RegExp ? 'refuses' : 'reads'} ${name}`, () => {
      const manifest = parseManifest(Buffer.from(body), contentType);
      if (found instanceof RegExp) return assert.match('fault' in manifest ? manifest.fault : 'none', found);
      if ('fault' in manifest) return assert.fail(manifest.fault);
      assert.deepEqual(manifest.annotations, found);
      assert.equal(manifest.digest, `sha256:${createHash('sha256').update(body).digest('hex')}`);
    });
  }

  const platform = (os: string, architecture: string) => ({ digest, platform: { os, architecture } });
  const indexes: [name: string, manifests: unknown, platforms: string[][] | RegExp][] = [
    ['two platforms', [platform('linux', 'amd64'), platform('windows', 'amd64')], [['linux/amd64'], ['windows/amd64']]],
    ['an attestation beside an image', [platform('unknown', 'unknown'), platform('linux', 's390x')], [['linux/s390x']]],
    ['an image without a platform', [{ digest }], [[]]],
    ['attestations alone', [platform('unknown', 'unknown')], /holds no image/],
    ['no digests that can be checked', [{ digest: 'sha512:abc' }, { digest: '../../x' }, {}, null], /holds no image/],
    ['nothing', [], /holds no image/],
    ['no list', { 0: platform('linux', 'amd64') }, /holds no image/],
  ];
  for (const [name, manifests, found] of indexes) {
    it(`${found instanceof RegExp ? 'refuses' : 'reads'} an index of ${name}`, () => {
      const manifest = parseManifest(Buffer.from(JSON.stringify({ mediaType: ociIndex, manifests })), ociIndex);
      if (found instanceof RegExp) return assert.match('fault' in manifest ? manifest.fault : 'none', found);
      if ('fault' in manifest || manifest.content.kind !== 'index') return assert.fail('no index');
      assert.deepEqual(
        manifest.content.images.map(({ platforms }) => platforms),
        found,
      );
    });
  }

  it('keeps a bounded number of short annotations', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`a${index}`, 'b']));
    const body = JSON.stringify({ annotations: { long: 'x'.repeat(2000), __proto__: null, ...many } });
    const manifest = parseManifest(Buffer.from(body), ociManifest);
    assert.equal('fault' in manifest ? 0 : Object.keys(manifest.annotations).length, 64);
  });

  it('takes a chart for no image', () => {
    const config = { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest };
    const manifest = parseManifest(Buffer.from(JSON.stringify({ config })), ociManifest);
    assert.deepEqual('fault' in manifest ? manifest : manifest.content, { kind: 'image', config: undefined });
  });
});

describe('formatPlatforms', () => {
  const rows: [os: unknown, architecture: unknown, variant: unknown, names: string[]][] = [
    ['linux', 'amd64', undefined, ['linux/amd64']],
    ['linux', 'amd64', 'v1', ['linux/amd64/v1', 'linux/amd64']],
    ['linux', 'amd64', 'v3', ['linux/amd64/v3']],
    ['linux', 'arm64', undefined, ['linux/arm64', 'linux/arm64/v8']],
    ['linux', 'arm64', 'v8', ['linux/arm64/v8', 'linux/arm64']],
    ['linux', 'arm', 'v6', ['linux/arm/v6', 'linux/arm']],
    ['linux', 'arm', undefined, ['linux/arm/v7', 'linux/arm']],
    ['unknown', 'unknown', undefined, []],
    ['linux', '', undefined, []],
    ['linux', 5, undefined, []],
    ['li nux', 'amd64', undefined, []],
  ];
  for (const [os, architecture, variant, names] of rows) {
    it(`names ${os}/${architecture} ${variant ?? ''}`, () =>
      assert.deepEqual(formatPlatforms({ os, architecture, variant }), names));
  }
});
