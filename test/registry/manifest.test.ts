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
      [
        'an index',
        ociIndex,
        `{"mediaType":"${ociIndex}","manifests":[${child}],"annotations":{"org.opencontainers.image.title":"b","a":"b"}}`,
        { 'org.opencontainers.image.title': 'b' },
      ],
      [
        'a manifest without mediaType',
        ociManifest,
        '{"schemaVersion":2,"annotations":{"org.opencontainers.image.title":"b","a":"b"}}',
        { 'org.opencontainers.image.title': 'b' },
      ],
      ['a Docker manifest', dockerManifest, `{ "mediaType": "${dockerManifest}" }\n`, {}],
      ['a type with parameters', `${ociManifest}; charset=utf-8`, '{}', {}],
      ['a type in the body alone', undefined, `{"mediaType":"${ociManifest}"}`, {}],
      ['a type in the body, JSON in the header', 'application/json', `{"mediaType":"${ociManifest}"}`, {}],
      [
        'annotations that are no text',
        ociManifest,
        '{"annotations":{"org.opencontainers.image.a":1,"org.opencontainers.image.title":"b","org.opencontainers.image.d":null}}',
        { 'org.opencontainers.image.title': 'b' },
      ],
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

  const other = `sha256:${'b'.repeat(64)}`;
  const entry = (os: string, architecture: string, id = digest) => ({ digest: id, platform: { os, architecture } });
  const indexes: [name: string, manifests: unknown, found: { image: string; platforms: string[] } | RegExp][] = [
    [
      'two platforms',
      [entry('windows', 'amd64', other), entry('linux', 'amd64')],
      { image: digest, platforms: ['windows/amd64', 'linux/amd64'] },
    ],
    [
      'an attestation beside an image',
      [entry('unknown', 'unknown', other), entry('linux', 's390x')],
      { image: digest, platforms: ['linux/s390x'] },
    ],
    ['an image without a platform', [{ digest }], { image: digest, platforms: [] }],
    ['attestations alone', [entry('unknown', 'unknown')], /holds no image/],
    ['no digests that can be checked', [{ digest: 'sha512:abc' }, { digest: '../../x' }, {}, null], /holds no image/],
    ['nothing', [], /holds no image/],
    ['no list', { 0: entry('linux', 'amd64') }, /holds no image/],
    ['too many images', Array.from({ length: 1001 }, () => entry('linux', 'amd64')), /more images than 1000/],
  ];
  for (const [name, manifests, found] of indexes) {
    it(`${found instanceof RegExp ? 'refuses' : 'reads'} an index of ${name}`, () => {
      const manifest = parseManifest(Buffer.from(JSON.stringify({ mediaType: ociIndex, manifests })), ociIndex);
      if (found instanceof RegExp) return assert.match('fault' in manifest ? manifest.fault : 'none', found);
      if ('fault' in manifest) return assert.fail(manifest.fault);
      assert.deepEqual(manifest.content, { kind: 'index', ...found });
    });
  }

  it('keeps a bounded number of short annotations', () => {
    const prefix = 'org.opencontainers.image.';
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`${prefix}a${index}`, 'b']));
    const body = JSON.stringify({ annotations: { [`${prefix}long`]: 'x'.repeat(2000), x: 'y', ...many } });
    const manifest = parseManifest(Buffer.from(body), ociManifest);
    assert.equal('fault' in manifest ? 0 : Object.keys(manifest.annotations).length, 32);
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
