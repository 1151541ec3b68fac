import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { YamlRepoOptions } from '../../src/git/yaml-repo.ts';
import { type ForwardProxy, type ForwardProxyOptions, startForwardProxy } from '../services/forward-proxy.ts';
import { failureOf, type Scene, withScene } from './remote-scene.ts';
import { newCommit, signal } from './workshop.ts';

const cert = readFileSync(new URL('../registry/tls/localhost-cert.pem', import.meta.url), 'utf8');
const key = readFileSync(new URL('../registry/tls/localhost-key.pem', import.meta.url), 'utf8');
const user = { username: 'ann', password: 's3cret: sésame@' };
const signedIn = (proxy: ForwardProxy): string =>
  proxy.url.replace('//', `//${user.username}:${encodeURIComponent(user.password)}@`);

async function withProxy(options: ForwardProxyOptions, run: (proxy: ForwardProxy) => Promise<void>): Promise<void> {
  const proxy = await startForwardProxy(options);
  try {
    await run(proxy);
  } finally {
    await proxy.close();
  }
}

/** The Git server of the scene behind TLS; `clients` are the names in the certificates that were shown. */
async function withTls(
  { server }: Scene,
  run: (options: Partial<YamlRepoOptions>, clients: (string | undefined)[]) => Promise<void>,
  settings: ServerOptions = {},
): Promise<void> {
  const clients: (string | undefined)[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { method, headers, url = '' } = request;
    const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
    clients.push(CN === undefined ? undefined : String(CN));
    const onward = sendRequest(new URL(url, server.url('')), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  };
  const front = createServer({ cert, key, ...settings }, listener);
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
  const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}/site.git`;
  try {
    await run({ location: { kind: 'remote', url } }, clients);
  } finally {
    front.closeAllConnections();
    await new Promise((done) => front.close(done));
  }
}

async function readAndPush({ open }: Scene, options: Partial<YamlRepoOptions>): Promise<void> {
  const repo = open(options);
  const base = await repo.fetch({ signal });
  assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
}

describe('Git over HTTP', () => {
  it('asks a proxy for the whole URL, with the sign-in that ends there', () =>
    withScene((scene) =>
      withProxy({ user }, async (proxy) => {
        await readAndPush(scene, { proxy: () => signedIn(proxy) });
        assert.ok(proxy.requests.includes(`GET ${scene.server.url('site.git')}/info/refs?service=git-receive-pack`));
        assert.equal(proxy.requests.length, scene.server.requests.length);
      }),
    ));

  it('tunnels what is encrypted, and the private authority holds behind it', () =>
    withScene((scene) =>
      withTls(scene, (options) =>
        withProxy({ user }, async (proxy) => {
          await readAndPush(scene, { ...options, tls: () => ({ ca: cert }), proxy: () => signedIn(proxy) });
          const { host } = new URL(options.location?.kind === 'remote' ? options.location.url : '');
          assert.deepEqual([...new Set(proxy.requests)], [`CONNECT ${host}`]);
          assert.ok(proxy.requests.length <= 2);
        }),
      ),
    ));

  for (const isPlain of [true, false]) {
    const to = isPlain ? 'plain HTTP' : 'HTTPS';
    const failing = async (
      proxyOptions: ForwardProxyOptions,
      address = (proxy: ForwardProxy) => proxy.url,
      isDown = false,
    ) => {
      const found: { code: string; message: string; remedy: string; host: string }[] = [];
      await withScene((scene) =>
        withTls(scene, (options) =>
          withProxy(proxyOptions, async (proxy) => {
            if (isDown) await proxy.close();
            const given = isPlain ? {} : { ...options, tls: () => ({ ca: cert }) };
            const { code, message, remedy } = await failureOf(
              scene.open({ ...given, proxy: () => address(proxy) }).fetch({ signal }),
            );
            assert.doesNotMatch(message + remedy, /sésame|s%C3%A9same/);
            found.push({ code, message, remedy, host: proxy.host });
          }),
        ),
      );
      return found[0];
    };

    it(`tells a proxy that wants another sign-in, for ${to}`, async () => {
      const failure = await failing({ user: { username: 'x', password: 'y' } }, signedIn);
      assert.equal(failure?.code, 'RepoUnavailable');
      assert.ok(failure.message.includes(`the proxy "${failure.host}" wants another sign-in (407)`), failure.message);
      assert.match(failure.remedy, /HTTPS_PROXY/);
    });

    it(`tells a proxy that is down, for ${to}`, async () => {
      const failure = await failing({}, undefined, true);
      assert.equal(failure?.code, 'RepoUnavailable');
      assert.ok(failure.message.includes(`the proxy "${failure.host}" is not reached (ECONNREFUSED)`), failure.message);
    });
  }

  it('tells a proxy that gives no way', () =>
    withScene((scene) =>
      withProxy({ refuse: 403 }, async (proxy) => {
        const location = { kind: 'remote', url: 'https://git.example/site.git' } as const;
        const failure = await failureOf(scene.open({ location, proxy: () => proxy.url }).fetch({ signal }));
        assert.match(failure.message, /gives no way there \(403\)/);
        assert.deepEqual(proxy.requests, ['CONNECT git.example:443']);
        assert.equal(proxy.headers[0]?.authorization, undefined);
      }),
    ));

  it('shows its certificate, reads changed files at once, and trusts no other authority', () =>
    withScene((scene) =>
      withTls(
        scene,
        async (options, clients) => {
          const untrusted = await failureOf(scene.open(options).fetch({ signal }));
          assert.match(untrusted.message, /certificate is not trusted/);
          let settings: { ca: string; clientCertificate?: { cert: string; key: string } } = { ca: cert };
          const repo = scene.open({ ...options, tls: () => settings });
          await repo.fetch({ signal });
          settings = { ca: cert, clientCertificate: { cert, key } };
          await repo.fetch({ signal });
          assert.deepEqual([clients[0], clients.at(-1)], [undefined, 'tallyman test']);
          settings = { ca: cert, clientCertificate: { cert, key: 's3cret' } };
          const broken = await failureOf(repo.fetch({ signal }));
          assert.equal(broken.code, 'ConfigInvalid', broken.message);
          assert.match(broken.remedy, /caFile or caSecret and clientCertificate name under `repos`/);
        },
        { requestCert: true, rejectUnauthorized: false },
      ),
    ));
});
