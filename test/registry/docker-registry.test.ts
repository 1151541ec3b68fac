import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { type DockerRegistry, startDockerRegistry } from '../services/docker-registry.ts';
import { pushImage } from '../services/push-image.ts';
import { makeTags } from './open-registry.ts';

const { signal } = new AbortController();

describe("Debian's docker-registry with htpasswd", () => {
  let server: DockerRegistry;
  let client: ReturnType<typeof createRegistry>;
  const at = (path: string) => ({ host: server.host, path });

  before(async () => {
    server = await startDockerRegistry({ htpasswd: true });
    client = createRegistry({ hosts: () => ({ credential: server.credential }) });
  });
  after(async () => {
    await client?.close();
    await server?.close();
  });

  it('lists what was pushed, and tells its digest and annotations', async () => {
    const { url, credential } = server;
    const annotations = { 'org.opencontainers.image.revision': 'abc' };
    const digest = await pushImage({ url, credential, repository: 'acme/web', tag: '1.0', annotations });
    await pushImage({ url, credential, repository: 'acme/web', tag: '1.1' });
    assert.deepEqual([...(await client.listTags(at('acme/web'), { signal })).tags].sort(), ['1.0', '1.1']);
    assert.deepEqual(await client.fetchManifest(at('acme/web'), '1.0', { signal }), {
      digest,
      annotations,
      platforms: ['linux/amd64'],
    });
    assert.deepEqual((await client.fetchManifest(at('acme/web'), '1.1', { signal })).annotations, {});
  });

  for (const count of [999, 1000, 1001]) {
    it(`lists ${count} tags, around the size of a page`, async () => {
      // A folder is all that a tag needs to be listed.
      for (const tag of makeTags(count))
        mkdirSync(join(server.repositoriesFolder, `many/${count}/_manifests/tags`, tag), { recursive: true });
      assert.equal((await client.listTags(at(`many/${count}`), { signal })).tags.length, count);
    });
  }

  it('refuses a wrong password, and none', async () => {
    for (const credential of [{ username: 'tally', password: 'wrong' }, undefined]) {
      const stranger = createRegistry({ hosts: () => ({ credential }) });
      await assert.rejects(stranger.listTags(at('acme/web'), { signal }), {
        code: 'RegistryDenied',
        message: /answered 401 \(UNAUTHORIZED: authentication required\)/,
      });
      await stranger.close();
    }
  });

  it('has no such repository, no such tag', async () => {
    const missing = {
      code: 'ImageNotFound',
      message: new RegExp(`"${server.host}/acme/.*does not exist, or may not be seen`),
    };
    await assert.rejects(client.listTags(at('acme/none'), { signal }), missing);
    await assert.rejects(client.fetchManifest(at('acme/web'), '9.9', { signal }), missing);
  });
});

describe("Debian's docker-registry, open to all", () => {
  it('is read without signing in', async (t) => {
    const server = await startDockerRegistry();
    const client = createRegistry({ hosts: () => ({}) });
    t.after(async () => {
      await client.close();
      await server.close();
    });
    await pushImage({ url: server.url, repository: 'web', tag: '1.0' });
    assert.deepEqual((await client.listTags({ host: server.host, path: 'web' }, { signal })).tags, ['1.0']);
  });
});
