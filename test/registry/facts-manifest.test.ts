import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe } from 'node:test';
import { actOut, type Behaviour, complain, type Play, type Scene, sendManifest } from './act-out.ts';

const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociImage = 'application/vnd.oci.image.manifest.v1+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
const dockerImage = 'application/vnd.docker.distribution.manifest.v2+json';
const source = 'org.opencontainers.image.source';
const revision = 'org.opencontainers.image.revision';
/** Says where the image comes from, so that no labels are read. */
const annotations = { [source]: 'https://git.example/acme/web' };
const forAmd64 = { platform: { os: 'linux', architecture: 'amd64' } };
const childDigest = `sha256:${'a'.repeat(64)}`;
const index = { manifests: [{ digest: childDigest, ...forAmd64 }], annotations };

const hash = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const finds = (digest: string) => async (scene: Scene) => assert.equal((await scene.fetch('1.0')).digest, digest);

const types: Play[] = [
  ...[ociIndex, ociImage, dockerList, dockerImage].map((type) => ({
    fact: '23',
    name: `a registry with ${type} only finds it accepted`,
    registry: (({ headers }) => {
      const isAccepted = headers.accept?.split(', ').includes(type) === true;
      return isAccepted ? sendManifest(index, type) : complain(404, 'MANIFEST_UNKNOWN');
    }) satisfies Behaviour,
    client: finds(sendManifest(index, type).digest),
  })),
  {
    fact: '23',
    name: 'a registry that sees no index type answers with one platform: it sees one',
    registry: ({ headers }) => {
      const seesIndex = headers.accept?.includes('index') === true;
      return seesIndex ? sendManifest(index, ociIndex) : sendManifest({ annotations });
    },
    client: async (scene) => {
      for (let looks = 0; looks < 2; looks += 1) await finds(sendManifest(index, ociIndex).digest)(scene);
      assert.deepEqual(
        scene.asked(),
        ['GET', 'HEAD'].map((method) => `${method} /v2/acme/web/manifests/1.0 -`),
      );
    },
  },
  {
    fact: '23',
    name: 'parameters of the type do not count',
    registry: () => {
      const { body } = sendManifest({ annotations });
      return { body, headers: { 'content-type': `${ociImage}; charset=utf-8` } };
    },
    client: finds(sendManifest({ annotations }).digest),
  },
  {
    fact: '23',
    name: 'a body of another type than the header is refused',
    registry: () => ({ body: sendManifest(index, ociIndex).body, headers: { 'content-type': ociImage } }),
    client: async (scene) => {
      const message = /body is of type ".*index\.v1\+json", the announced ".*manifest\.v1\+json" was wanted/;
      await assert.rejects(scene.fetch('1.0'), { code: 'RegistryInvalid', message });
    },
  },
];

/** Pretty-printed, as some build tools push it: its JSON written anew has other bytes. */
const pretty = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociImage, annotations }, null, 3));

const heads: [name: string, headers: Record<string, string>][] = [
  ['ECR and old Red Hat send HEAD without a digest', { 'content-type': ociImage }],
  ['a HEAD may have no type', { 'docker-content-digest': hash(pretty) }],
  ['a HEAD may have nothing at all', {}],
];

const digests: Play[] = [
  ...heads.map(([name, headers]) => ({
    fact: '24',
    name: `${name}: the bytes are read instead`,
    registry: (({ method }) =>
      method === 'HEAD' ? { headers } : { body: pretty, headers: { 'content-type': ociImage } }) satisfies Behaviour,
    client: async (scene: Scene) => {
      for (let looks = 0; looks < 2; looks += 1) await finds(hash(pretty))(scene);
      assert.deepEqual(
        scene.calls.map(({ method }) => method),
        ['GET', 'HEAD', 'GET'],
      );
    },
  })),
  {
    fact: '24',
    name: 'the digest is that of the bytes as sent, whatever a header says',
    registry: () => ({ body: pretty, headers: { 'content-type': ociImage, 'docker-content-digest': childDigest } }),
    client: finds(hash(pretty)),
  },
  {
    fact: '24',
    name: 'more than 8 MiB are no manifest',
    registry: () => sendManifest({ annotations: { [source]: 'x'.repeat(8 * 1024 * 1024) } }),
    client: async (scene) => {
      const message = /too long, at most 8388608 bytes were wanted/;
      await assert.rejects(scene.fetch('1.0'), { code: 'RegistryInvalid', message });
    },
  },
];

const attestation = { digest: `sha256:${'e'.repeat(64)}`, platform: { os: 'unknown', architecture: 'unknown' } };

const indexes: Play[] = [
  {
    fact: '25',
    name: 'the digest of an image for many platforms is that of its index, attestations are no platform',
    registry: () => sendManifest({ ...index, manifests: [...index.manifests, attestation] }, ociIndex),
    client: async (scene) => {
      const { digest, platforms } = await scene.fetch('1.0', { platforms: true });
      assert.equal(digest, sendManifest({ ...index, manifests: [...index.manifests, attestation] }, ociIndex).digest);
      assert.deepEqual(platforms, ['linux/amd64']);
    },
  },
  {
    fact: '25',
    name: 'an index of attestations only is an error',
    registry: () => sendManifest({ manifests: [attestation], annotations }, ociIndex),
    client: async (scene) => {
      await assert.rejects(scene.fetch('1.0'), { code: 'RegistryInvalid', message: /index holds no image/ });
    },
  },
];

/** An image whose configuration has these labels; the blob is answered by `blob`, or as it is. */
function serveImage(labels: object, about: { annotations?: object; blob?: Behaviour } = {}): Behaviour {
  const body = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', created: epoch, config: { Labels: labels } }),
  );
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: hash(body), size: body.length };
  return (call) => {
    if (call.path.includes('/manifests/')) return sendManifest({ config, annotations: about.annotations });
    if (call.path.includes('/blobs/') && about.blob !== undefined) return about.blob(call);
    return { body };
  };
}
const epoch = '1970-01-01T00:00:00Z';
const labels = { [source]: 'https://git.example/base', [revision]: 'abc', maintainer: 'the base image’s' };

const ages: Play[] = [
  {
    fact: '26',
    name: 'a publisher’s time of creation is no time of a push',
    registry: (call) => (call.path.endsWith('/tags/list') ? { json: { tags: ['1.0'] } } : serveImage(labels)(call)),
    client: async (scene) => {
      const { signal, repository, client } = scene;
      await scene.fetch('1.0', { platforms: true });
      assert.equal((await client.listTags(repository, { signal, pushTimes: true })).pushedMs, undefined);
    },
  },
  {
    fact: '26',
    name: 'labels are inherited, so annotations go first and other labels do not count',
    registry: serveImage(labels, { annotations: { [revision]: 'def' } }),
    client: async (scene) => {
      const found = (await scene.fetch('1.0')).annotations;
      assert.deepEqual(found, { [source]: 'https://git.example/base', [revision]: 'def' });
    },
  },
];

/** A registry with a password whose blobs are in a store with another name for this machine, signed for. */
const redirectBlobs = (location: (origin: string) => string): Behaviour => {
  const stored = serveImage(labels);
  const registry = serveImage(labels, {
    blob: ({ origin, path }) => ({
      status: 307,
      headers: { location: `${location(origin)}${path}?X-Amz-Signature=1` },
    }),
  });
  return (call) => {
    if (call.query.has('X-Amz-Signature')) return call.authorization === undefined ? stored(call) : onlyOneMechanism;
    if (call.authorization !== undefined) return registry(call);
    return { status: 401, headers: { 'www-authenticate': 'Basic realm="Registry"' } };
  };
};
const onlyOneMechanism = { status: 400, body: '<Code>InvalidArgument</Code>Only one auth mechanism allowed' };
const credential = { username: 'robot', password: 'hunter2' };

const blobs: Play[] = [
  {
    fact: '27',
    name: 'a blob is followed to S3, which refuses a second sign-in and gets none',
    settings: () => ({ credential }),
    registry: redirectBlobs((origin) => origin.replace('127.0.0.1', 'localhost')),
    client: async (scene) => {
      assert.equal((await scene.fetch('1.0')).annotations[revision], 'abc');
      const stored = scene.calls.at(-1);
      assert.equal(stored?.authorization, undefined);
      assert.ok(stored?.origin.includes('localhost'));
    },
  },
  {
    fact: '27',
    name: 'a blob is not followed to a metadata server, and the image stands without its labels',
    settings: () => ({ credential }),
    registry: redirectBlobs(() => 'http://169.254.169.254'),
    client: async (scene) => {
      assert.deepEqual((await scene.fetch('1.0')).annotations, {});
      const found = scene.events.flatMap((event) => (event.kind === 'no-labels' ? event.found : []));
      assert.match(String(found), /link-local address/);
      await assert.rejects(scene.fetch('1.0', { platforms: true }), { code: 'RegistryInvalid', message: /link-local/ });
    },
  },
];

const conditional: Play[] = [
  {
    fact: '28',
    name: 'a tag list with an entity tag is asked for with it, and 304 gives it again',
    registry: ({ headers }) => {
      if (headers['if-none-match'] === 'W/"7"') return { status: 304, headers: { etag: 'W/"7"' } };
      return { json: { tags: ['1.0'] }, headers: { etag: 'W/"7"' } };
    },
    client: async (scene) => {
      for (let looks = 0; looks < 2; looks += 1) assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(
        scene.calls.map(({ headers }) => headers['if-none-match']),
        [undefined, 'W/"7"'],
      );
    },
  },
  {
    fact: '28',
    name: 'a tag list without one is read anew',
    registry: () => ({ json: { tags: ['1.0'] } }),
    client: async (scene) => {
      for (let looks = 0; looks < 2; looks += 1) assert.deepEqual(await scene.list(), ['1.0']);
      assert.deepEqual(
        scene.calls.map(({ headers }) => headers['if-none-match']),
        [undefined, undefined],
      );
    },
  },
];

describe('facts about manifests', () => actOut([...types, ...digests, ...indexes, ...ages, ...blobs, ...conditional]));
