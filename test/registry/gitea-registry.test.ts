import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { createRegistry } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import { type FrontProxyOptions, startFrontProxy } from '../services/front-proxy.ts';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { pushImage, pushIndex } from '../services/push-image.ts';

const { signal } = new AbortController();
const readPem = (name: string): string => readFileSync(new URL(`./tls/${name}.pem`, import.meta.url), 'utf8');
const cert = readPem('localhost-cert');

describe("Gitea's container registry", () => {
  let server: Gitea;
  const push = (repository: string, tag: string, annotations: Record<string, string> = {}) =>
    pushImage({ url: server.url, credential: server.user, repository, tag, annotations });

  before(async () => {
    // Always its own address, as Gitea before 1.26: behind a proxy that is another than the client's.
    server = await startGitea({ rootUrl: (url) => url });
    for (const tag of ['1.0', '1.1', '1.10', '1.2', '2.0']) await push('tally/web', tag);
    await server.api('/orgs', { method: 'POST', body: { username: 'hidden', visibility: 'private' } });
    await push('hidden/web', '1.0');
  });
  after(() => server?.close());

  /** A client with these settings of every host, and a repository of the server. */
  function open(context: TestContext, settings: HostSettings = { credential: server.user }) {
    const client = createRegistry({ hosts: () => settings });
    context.after(() => client.close());
    return {
      listTags: async (path: string, host = server.host) =>
        [...(await client.listTags({ host, path }, { signal })).tags].sort(),
      fetchManifest: (path: string, tag: string) =>
        client.fetchManifest({ host: server.host, path }, tag, { signal, platforms: true }),
    };
  }

  async function openProxy(context: TestContext, options: Omit<FrontProxyOptions, 'url'>) {
    const proxy = await startFrontProxy({ url: server.url, ...options });
    context.after(() => proxy.close());
    return proxy;
  }

  it('lists all pages, the last of which has a link too', async (t) => {
    const { host, requests } = await openProxy(t, { rewrite: (url) => url.replace('n=1000', 'n=2') });
    assert.deepEqual(await open(t).listTags('tally/web', host), ['1.0', '1.1', '1.10', '1.2', '2.0']);
    const list = 'GET /v2/tally/web/tags/list';
    assert.deepEqual(requests, [
      { line: `${list}?n=1000`, scheme: undefined },
      { line: `${list}?n=1000`, scheme: 'Bearer' },
      { line: `${list}?last=1.1&n=2`, scheme: 'Bearer' },
      { line: `${list}?last=1.2&n=2`, scheme: 'Bearer' },
      { line: `${list}?last=2.0&n=2`, scheme: 'Bearer' },
    ]);
  });

  it('demands Bearer or Basic in one answer', async () => {
    const answer = await fetch(`${server.url}/v2/tally/web/tags/list`);
    const bearer = `Bearer realm="${server.url}/v2/token",service="container_registry",scope="*"`;
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('www-authenticate'), `${bearer}, Basic realm="Gitea Container Registry"`);
  });

  it('tells the digest that was pushed, and that of what took its tag', async (t) => {
    const { fetchManifest } = open(t);
    for (const revision of ['abc', 'abc', 'def']) {
      const annotations = { 'org.opencontainers.image.revision': revision };
      const digest = await push('tally/one', '1.0', annotations);
      assert.deepEqual(await fetchManifest('tally/one', '1.0'), { digest, annotations, platforms: ['linux/amd64'] });
    }
  });

  it('tells of an index, not of one platform', async (t) => {
    const annotations = { 'org.opencontainers.image.revision': 'abc' };
    const platforms = ['linux/amd64', 'linux/s390x'];
    const image = { url: server.url, credential: server.user, repository: 'tally/many', tag: '1.0', annotations };
    const digest = await pushIndex(image, platforms);
    const { listTags, fetchManifest } = open(t);
    assert.deepEqual(await fetchManifest('tally/many', '1.0'), { digest, annotations, platforms });
    assert.deepEqual(await listTags('tally/many'), ['1.0'], 'what the index points to has no tag');
  });

  it('lists tags in lower case, and finds them in any', async (t) => {
    const digest = await push('tally/case', 'V1.0-RC');
    const { listTags, fetchManifest } = open(t);
    assert.deepEqual(await listTags('tally/case'), ['v1.0-rc']);
    for (const tag of ['v1.0-rc', 'V1.0-RC']) assert.equal((await fetchManifest('tally/case', tag)).digest, digest);
  });

  it('shows to everybody what is public, and no more', async (t) => {
    const stranger = open(t, {});
    assert.equal((await stranger.listTags('tally/web')).length, 5);
    await assert.rejects(stranger.listTags('hidden/web'), { code: 'RegistryDenied', message: /answered 401/ });
    assert.deepEqual(await open(t).listTags('hidden/web'), ['1.0']);
  });

  it('takes an access token as the password', async (t) => {
    const { username } = server.user;
    assert.deepEqual(await open(t, { credential: { username, password: server.token } }).listTags('hidden/web'), [
      '1.0',
    ]);
  });

  it('refuses a wrong password, also for what is public', async (t) => {
    const impostor = open(t, { credential: { ...server.user, password: 'wrong' } });
    await assert.rejects(impostor.listTags('tally/web'), {
      code: 'RegistryDenied',
      message: /the token server "127\.0\.0\.1:\d+" answered 401/,
    });
  });

  it('has no such repository, owner or tag', async (t) => {
    const { listTags, fetchManifest } = open(t);
    for (const path of ['tally/none', 'nobody/none'])
      await assert.rejects(listTags(path), { code: 'ImageNotFound', message: /does not exist, or may not be seen/ });
    await assert.rejects(fetchManifest('tally/web', '9.9'), { code: 'ImageNotFound' });
  });

  describe('behind a proxy with TLS, which it does not know of', () => {
    const openTlsProxy = (context: TestContext) => openProxy(context, { tls: { cert, key: readPem('localhost-key') } });
    const settings = (): HostSettings => ({ ca: cert, plainHttp: false, credential: server.user });

    it('sends the password nowhere else', async (t) => {
      const { host, requests } = await openTlsProxy(t);
      await assert.rejects(open(t, settings()).listTags('tally/web', host), {
        code: 'RegistryInvalid',
        message: /the realm of the challenge is not followed: it leads from https to http/,
        remedy: /trustedOrigins/,
      });
      assert.deepEqual(
        requests.map(({ scheme }) => scheme),
        [undefined],
      );
    });

    it('is read where the operator trusts its own address', async (t) => {
      const { host } = await openTlsProxy(t);
      const trusting = open(t, { ...settings(), trustedOrigins: [server.url] });
      assert.equal((await trusting.listTags('tally/web', host)).length, 5);
    });
  });
});
