import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { connectCluster } from '../../src/cluster/connect.ts';
import { formatPath } from '../../src/cluster/resource-path.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';

const secrets = { group: '', version: 'v1', plural: 'secrets' };
const { signal } = new AbortController();
const hasCode = (code: string, text: RegExp) => (error: unknown) =>
  error instanceof TallymanError && error.code === code && text.test(error.message);

describe('the Kubernetes API', () => {
  let kubernetes: TestKubernetes;
  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('shop');
    await kubernetes.apply([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'shop', name: 'nobody' } },
      { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'shop', name: 'git' }, stringData: { token: 'abc' } },
    ]);
  });
  after(() => kubernetes?.close());

  it('reads an object, and says which is not there', async () => {
    const api = connectCluster({ kubeconfig: kubernetes.kubeconfig });
    const read = (name: string) =>
      api.request<{ data: Record<string, string> }>({
        method: 'GET',
        path: formatPath(secrets, { namespace: 'shop', name }),
        signal,
      });
    const found = await read('git');
    assert.equal(found.kind === 'done' && Buffer.from(found.body.data.token ?? '', 'base64').toString(), 'abc');
    const missing = await read('other');
    assert.deepEqual(missing.kind === 'refused' && [missing.status, missing.reason], [404, 'NotFound']);
    api.close();
  });

  it('tells who may not', async () => {
    const kubeconfig = await kubernetes.createKubeconfig({ namespace: 'shop', name: 'nobody' });
    const api = connectCluster({ kubeconfig });
    assert.equal(api.namespace, 'shop');
    const path = formatPath(secrets, { namespace: 'shop', name: 'git' });
    await assert.rejects(api.request({ method: 'GET', path, signal }), hasCode('ClusterDenied', /nobody.*cannot get/));
    api.close();
  });

  it('does not wait for a server that says nothing, and goes on once it does', async () => {
    const api = connectCluster({ kubeconfig: kubernetes.kubeconfig });
    const path = formatPath(secrets, { namespace: 'shop', name: 'git' });
    kubernetes.freeze(true);
    try {
      const asked = api.request({ method: 'GET', path, signal, timeoutMs: 300 });
      await assert.rejects(asked, hasCode('ClusterUnavailable', /did not answer in time/));
      const stop = new AbortController();
      const stopped = api.request({ method: 'GET', path, signal: stop.signal });
      stop.abort(new Error('stopped'));
      await assert.rejects(stopped, /stopped/);
    } finally {
      kubernetes.freeze(false);
    }
    assert.equal((await api.request({ method: 'GET', path, signal })).kind, 'done');
    api.close();
  });

  it('gives a watch line by line until its signal aborts', async () => {
    const api = connectCluster({ kubeconfig: kubernetes.kubeconfig });
    const stop = new AbortController();
    const query = { fieldSelector: 'metadata.name=git' };
    const lines = api.watch({ path: formatPath(secrets, { namespace: 'shop' }), query, signal: stop.signal });
    const types: string[] = [];
    await assert.rejects(async () => {
      for await (const line of lines) {
        types.push(line.type);
        stop.abort(new Error('seen'));
      }
    }, /seen/);
    assert.equal(types[0], 'ADDED');
    api.close();
  });
});

const tlsFolder = new URL('../registry/tls/', import.meta.url);
const tls = {
  cert: readFileSync(new URL('localhost-cert.pem', tlsFolder), 'utf8'),
  key: readFileSync(new URL('localhost-key.pem', tlsFolder), 'utf8'),
};

/** An API server as no real one is, and a kubeconfig for it. */
async function serve(t: TestContext, user: object, answer: RequestListener) {
  const server = createServer(tls, answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-api-'));
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { folder, kubeconfig: writeKubeconfig(folder, address, user) };
}

function writeKubeconfig(folder: string, server: string, user: object = {}): string {
  const file = join(folder, 'kubeconfig');
  const content = {
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

it('repeats nothing of a line that is no JSON', async (t) => {
  const { kubeconfig } = await serve(t, {}, (_request, response) => response.end('{"token":hunter2}\n'));
  const api = connectCluster({ kubeconfig });
  const watch = async () => {
    for await (const _line of api.watch({ path: '/x', signal })) assert.fail('that was a line');
  };
  await assert.rejects(watch, (error) => {
    assert.ok(hasCode('ClusterUnavailable', /a line that is no JSON/)(error), inspect(error));
    assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2|token/);
    return true;
  });
  const read = api.request({ method: 'GET', path: '/x', signal });
  await assert.rejects(read, (error) => !/hunter2/.test(inspect(error, { depth: 9 })));
  api.close();
});

it('waits for a program that gives credentials no longer than for an answer', async (t) => {
  const apiVersion = 'client.authentication.k8s.io/v1';
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-exec-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const begun = join(folder, 'begun');
  const program = `require('node:fs').appendFileSync(${JSON.stringify(begun)}, 'begun'); setTimeout(() => {}, 3000)`;
  const exec = { apiVersion, command: process.execPath, args: ['-e', program] };
  const { kubeconfig } = await serve(t, { exec }, (_request, response) => response.end('{}'));
  const api = connectCluster({ kubeconfig });
  const ended: string[] = [];
  const ask = (by: AbortSignal, timeoutMs: number) => api.request({ method: 'GET', path: '/x', signal: by, timeoutMs });
  await assert.rejects(ask(signal, 300), hasCode('ClusterUnavailable', /did not come in time/));
  const stop = new AbortController();
  const stopped = ask(stop.signal, 60_000).catch((error: Error) => ended.push(error.message));
  stop.abort(new Error('stopped'));
  await stopped;
  assert.deepEqual(ended, ['stopped']);
  // The program that was begun first says nothing in the end, and no other was begun meanwhile.
  await assert.rejects(ask(signal, 60_000), hasCode('ClusterDenied', /cannot be read/));
  assert.equal(readFileSync(begun, 'utf8'), 'begun');
  api.close();
});

it('reads a token anew that is not accepted, whatever the clock says', async (t) => {
  const seen: (string | undefined)[] = [];
  const { folder, kubeconfig } = await serve(t, {}, ({ headers }, response) => {
    seen.push(headers.authorization);
    response.writeHead(headers.authorization === 'Bearer second' ? 200 : 401).end('{}');
  });
  const tokenFile = join(folder, 'token');
  const { server } = JSON.parse(readFileSync(kubeconfig, 'utf8')).clusters[0].cluster;
  writeKubeconfig(folder, server, { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } });
  writeFileSync(tokenFile, 'first\n');
  const api = connectCluster({ kubeconfig });
  const ask = () => api.request({ method: 'GET', path: '/x', signal });
  await assert.rejects(ask(), hasCode('ClusterDenied', /does not accept who asks/));
  writeFileSync(tokenFile, 'second\n');
  assert.equal((await ask()).kind, 'done');
  writeKubeconfig(folder, 'https://127.0.0.1:1', { token: 'of-another' });
  writeFileSync(tokenFile, 'third\n');
  assert.equal((await ask()).kind, 'done');
  assert.deepEqual(seen, ['Bearer first', 'Bearer second', 'Bearer second']);
  api.close();
});

describe('connectCluster', () => {
  it('says which kubeconfig cannot be read', () => {
    const missing = () => connectCluster({ kubeconfig: 'no/such.kubeconfig' });
    assert.throws(missing, hasCode('ConfigInvalid', /"no\/such.kubeconfig"/));
  });

  const unsafe: Readonly<Record<string, string>> = {
    'http://127.0.0.1:8001': 'at "http://127.0.0.1:8001"',
    'http://ada:hunter2@127.0.0.1:8001': 'at "http://127.0.0.1:8001"',
    'not an address': 'no address',
  };
  for (const [server, found] of Object.entries(unsafe))
    it(`does not talk to ${server}`, (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'tallyman-api-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const connect = () => connectCluster({ kubeconfig: writeKubeconfig(folder, server) });
      assert.throws(
        connect,
        hasCode('ConfigInvalid', new RegExp(`its server is ${found}, an https address was wanted`)),
      );
    });

  it('wants a pod where no kubeconfig is named', () => {
    assert.throws(() => connectCluster({}), hasCode('ConfigInvalid', /a pod with a service account was wanted/));
  });
});
