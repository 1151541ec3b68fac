import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type OpenRegistry, openRegistry, sendJson } from './open-registry.ts';

const source = 'org.opencontainers.image.source';
const revision = 'org.opencontainers.image.revision';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/** `HEAD manifests/1.0`, digests cut short */
const asked = ({ server }: OpenRegistry): string[] =>
  server.requests.map(
    ({ method, url }) => `${method} ${url.replace(/^.*acme.web./, '').replace(/(sha256:.{4}).*/, '$1')}`,
  );

describe('fetchManifest', () => {
  it('asks once for an image that says where it comes from, for its index as well', async (t) => {
    const accepts: (string | undefined)[] = [];
    const open = await openRegistry(t, { server: { intercept: ({ headers }) => accepts.push(headers.accept) === 0 } });
    const { server, client, repository, signal } = open;
    const digest = server.publish('acme/web', '1.0', { [source]: 'https://git.example/web', [revision]: 'abc' });
    const manifest = await client.fetchManifest(repository, '1.0', { signal });
    assert.equal(manifest.digest, digest);
    assert.deepEqual(manifest.annotations, { [source]: 'https://git.example/web', [revision]: 'abc' });
    assert.deepEqual(asked(open), ['GET manifests/1.0']);
    assert.equal(accepts[0]?.split(', ').length, 4);
    assert.ok(accepts[0]?.startsWith(ociIndex));
  });

  it('trusts the bytes, whatever a header says of their digest', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: {
        intercept: (_request, response) => {
          const writeHead = response.writeHead.bind(response);
          const lie = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
          const lying = (status: number, headers: object) => writeHead(status, { ...headers, ...lie });
          response.writeHead = lying as typeof response.writeHead;
          return false;
        },
      },
    });
    const digest = server.publish('acme/web', '1.0');
    assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
    assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
  });

  it('asks by HEAD whether a tag that was read before has moved', async (t) => {
    const open = await openRegistry(t);
    const { server, client, repository, signal } = open;
    server.publish('acme/web', 'main', { [source]: 'https://git.example/web', [revision]: '1' });
    const first = await client.fetchManifest(repository, 'main', { signal });
    assert.deepEqual(await client.fetchManifest(repository, 'main', { signal }), first);
    const moved = server.publish('acme/web', 'main', { [source]: 'https://git.example/web', [revision]: '2' });
    assert.equal((await client.fetchManifest(repository, 'main', { signal })).digest, moved);
    server.publish('acme/web', 'main', { [source]: 'https://git.example/web', [revision]: '1' });
    assert.deepEqual(await client.fetchManifest(repository, 'main', { signal }), first);
    assert.deepEqual(
      asked(open).map((line) => line.split(' ')[0]),
      ['GET', 'HEAD', 'HEAD', 'GET', 'HEAD'],
    );
  });

  it('is not misled by a registry whose header is always another digest than that of the bytes', async (t) => {
    let told = 'a';
    const open = await openRegistry(t, {
      server: {
        intercept: (_request, response) => {
          const writeHead = response.writeHead.bind(response);
          const lie = { 'docker-content-digest': `sha256:${told.repeat(64)}` };
          const lying = (status: number, headers: object) => writeHead(status, { ...headers, ...lie });
          response.writeHead = lying as typeof response.writeHead;
          return false;
        },
      },
    });
    const { server, client, repository, signal } = open;
    const annotations = { [source]: 'https://git.example/web' };
    server.publish('acme/web', '1.0', annotations);
    const first = await client.fetchManifest(repository, '1.0', { signal });
    assert.deepEqual(await client.fetchManifest(repository, '1.0', { signal }), first);
    told = 'b';
    const digest = server.publish('acme/web', '1.0', { ...annotations, [revision]: 'abc' });
    assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
    assert.deepEqual(
      asked(open).map((line) => line.split(' ')[0]),
      ['GET', 'HEAD', 'HEAD', 'GET'],
    );
  });

  const heads: [name: string, status: number, headers: Record<string, string>][] = [
    ['without a digest', 200, { 'content-type': ociIndex }],
    ['without a type', 200, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }],
    ['with a digest of another kind', 200, { 'content-type': ociIndex, 'docker-content-digest': 'md5:abc' }],
    ['by 404', 404, {}],
    ['by 405', 405, {}],
  ];
  for (const [name, status, headers] of heads) {
    it(`reads the bytes where HEAD is answered ${name}`, async (t) => {
      const open = await openRegistry(t, {
        server: {
          intercept: ({ method }, response) =>
            method === 'HEAD' && response.writeHead(status, headers).end().writableEnded,
        },
      });
      const { server, client, repository, signal } = open;
      server.publish('acme/web', '1.0', { [source]: 'https://git.example/web' });
      await client.fetchManifest(repository, '1.0', { signal });
      const digest = server.publish('acme/web', '1.0', { [source]: 'https://git.example/other' });
      assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
      assert.deepEqual(asked(open), ['GET manifests/1.0', 'HEAD manifests/1.0', 'GET manifests/1.0']);
    });
  }

  it('takes from labels where annotations are silent, and nothing else of theirs', async (t) => {
    const open = await openRegistry(t);
    const { server, client, repository, signal } = open;
    const labels = { [source]: 'https://git.example/web', [revision]: 'abc', maintainer: 'of the base image' };
    server.publishImage('acme/web', '1.0', { labels });
    server.publishImage('acme/web', '2.0', { labels, annotations: { [source]: 'https://git.example/own' } });
    const { annotations } = await client.fetchManifest(repository, '1.0', { signal });
    assert.deepEqual(annotations, { [source]: 'https://git.example/web', [revision]: 'abc' });
    const own = await client.fetchManifest(repository, '2.0', { signal });
    assert.deepEqual(own.annotations, { [source]: 'https://git.example/own' });
    await client.fetchManifest(repository, '1.0', { signal });
    assert.equal(asked(open).filter((line) => line.includes('blobs')).length, 1, 'what a digest names is read once');
  });

  it('names the platforms of an index, its digest, and the labels of its linux/amd64 image', async (t) => {
    const open = await openRegistry(t);
    const { server, client, repository, signal } = open;
    const platforms = ['linux/arm/v7', 'linux/amd64'];
    const image = server.publishImage('acme/web', '1.0', { platforms, labels: { [revision]: 'abc' } });
    const manifest = await client.fetchManifest(repository, '1.0', { signal, platforms: true });
    assert.deepEqual(manifest, {
      digest: image.top.digest,
      annotations: { [revision]: 'abc' },
      platforms: ['linux/arm/v7', 'linux/arm', 'linux/amd64'],
    });
    const [, amd64] = image.children;
    assert.ok(asked(open).includes(`GET manifests/${amd64?.digest.slice(0, 11)}`));
  });

  it('reads the platform of an image without an index, only if it is asked for', async (t) => {
    const open = await openRegistry(t);
    const { server, client, repository, signal } = open;
    server.publishImage('acme/web', '1.0', { platforms: ['linux/arm64'], annotations: { [source]: 'https://a.b/c' } });
    assert.equal((await client.fetchManifest(repository, '1.0', { signal })).platforms, undefined);
    const { platforms } = await client.fetchManifest(repository, '1.0', { signal, platforms: true });
    assert.deepEqual(platforms, ['linux/arm64', 'linux/arm64/v8']);
  });

  const blobs: [name: string, status: number, body: string, found: RegExp][] = [
    ['cannot be had', 403, '{}', /answered 403/],
    ['has other bytes than its digest', 200, '{"os":"linux"}', /not those of its digest/],
  ];
  for (const [name, status, body, found] of blobs) {
    it(`does without the labels of a configuration that ${name}, not without its platform`, async (t) => {
      const { server, client, repository, events, signal } = await openRegistry(t, {
        server: {
          intercept: ({ url = '' }, response) =>
            url.includes('/blobs/') && response.writeHead(status).end(body).writableEnded,
        },
      });
      const digest = server.publish('acme/web', '1.0');
      assert.equal((await client.fetchManifest(repository, '1.0', { signal })).digest, digest);
      await client.fetchManifest(repository, '1.0', { signal });
      const asks = server.requests.filter(({ url }) => url.includes('/blobs/')).length;
      assert.equal(asks, 1, 'labels are worth one try an hour');
      const [event] = events;
      assert.match(event?.kind === 'no-labels' ? event.found : '', found);
      await assert.rejects(client.fetchManifest(repository, '1.0', { signal, platforms: true }), { message: found });
    });
  }

  it('refuses a platform’s manifest that is not what the index names', async (t) => {
    const { server, client, repository, signal } = await openRegistry(t, {
      server: {
        intercept: ({ url = '' }, response) =>
          url.includes('/manifests/sha256:') &&
          sendJson(response, { mediaType: ociIndex, manifests: [{ digest: `sha256:${'0'.repeat(64)}` }] }),
      },
    });
    server.publishImage('acme/web', '1.0', { platforms: ['linux/amd64', 'linux/arm64'] });
    const { annotations } = await client.fetchManifest(repository, '1.0', { signal });
    assert.deepEqual(annotations, {});
  });

  it('follows a blob to where the registry keeps it, without its sign-in', async (t) => {
    const store = await openRegistry(t);
    const seen: (string | undefined)[] = [];
    const { server, client, repository, signal } = await openRegistry(t, {
      settings: { credential: { username: 'tally', password: 'open sesame' } },
      server: {
        auth: 'basic',
        intercept: ({ url = '', headers }, response) => {
          if (!url.includes('/blobs/') || headers.authorization === undefined) return false;
          return response.writeHead(307, { location: `${store.server.url}${url}` }).end().writableEnded;
        },
      },
    });
    const content = { labels: { [revision]: 'abc' } };
    server.publishImage('acme/web', '1.0', content);
    store.server.publishImage('acme/web', '1.0', content);
    const { annotations } = await client.fetchManifest(repository, '1.0', { signal });
    seen.push(...store.server.requests.map(({ authorization }) => authorization));
    assert.deepEqual(annotations, { [revision]: 'abc' });
    assert.deepEqual(seen, [undefined]);
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
