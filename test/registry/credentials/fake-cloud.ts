/** The endpoints of a cloud on this machine, and a source of credentials that takes them for the real ones. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import { createCloudSource } from '../../../src/registry/credentials/cloud.ts';
import type { Credential } from '../../../src/registry/credentials/credential.ts';
import type { HostSettings } from '../../../src/registry/host.ts';
import { createHttpClient } from '../../../src/registry/http.ts';
import { defaultLimits } from '../../../src/registry/limits.ts';
import { createRetryingSend, type Send } from '../../../src/registry/retry.ts';

/** A request as it arrived. */
export interface CloudRequest {
  readonly method: string;
  /** Where the client believes to be: `https://sts.eu-west-1.amazonaws.com` */
  readonly origin: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The fields of a form. */
  readonly form: Readonly<Record<string, string>>;
  /** Another origin that leads here: for redirects. */
  readonly elsewhere: string;
}

export interface CloudReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
}

/** 'hang': nothing is ever answered. */
export type Route = (request: CloudRequest) => CloudReply | 'hang';

export interface FakeCloudOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** By `GET https://host/path`; other paths of their hosts are not found, other hosts refuse the connection. */
  readonly routes?: Readonly<Record<string, Route>>;
  readonly hosts?: (host: string) => HostSettings;
  readonly nowMs?: number;
}

export interface FakeCloud {
  /** What arrived, as `GET https://host/path`. */
  readonly asked: readonly string[];
  readonly requests: readonly CloudRequest[];
  readonly clock: { nowMs: number };
  /** Both may be changed between two calls. */
  readonly files: Record<string, string>;
  readonly routes: Record<string, Route>;
  find(host: string, signal?: AbortSignal): Promise<Credential | undefined>;
  forget(host: string): void;
}

export async function openCloud(context: TestContext, options: FakeCloudOptions): Promise<FakeCloud> {
  const requests: CloudRequest[] = [];
  const routes = { ...options.routes };
  const files = { ...options.files };
  const clock = { nowMs: options.nowMs ?? Date.parse('2026-01-01T12:00:00Z') };
  const server = await startServer(context, async (message) => {
    const request = await readRequest(message);
    requests.push(request);
    const route = routes[nameOf(request)] ?? (() => ({ status: 404, text: '<html>not found</html>' }));
    return route(request);
  });
  const source = createCloudSource({
    send: redirect(createSend(context), routes, server),
    env: options.env ?? {},
    readFile: async (path) =>
      files[path] ?? Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' })),
    now: () => clock.nowMs,
    limits: defaultLimits,
    hosts: options.hosts ?? (() => ({})),
  });
  return {
    get asked() {
      return requests.map(nameOf);
    },
    requests,
    clock,
    files,
    routes,
    find: (host, signal = new AbortController().signal) => source.find({ host, path: 'acme/web' }, { signal }),
    forget: (host) => source.forget({ host, path: 'acme/web' }),
  };
}

function nameOf({ method, origin, path }: CloudRequest): string {
  return `${method} ${origin}${path}`;
}

async function startServer(
  context: TestContext,
  answer: (message: IncomingMessage) => Promise<CloudReply | 'hang'>,
): Promise<string> {
  const server = createServer(async (message, response) => {
    const reply = await answer(message);
    if (reply === 'hang') return;
    const body = reply.text ?? JSON.stringify(reply.json ?? {});
    response.writeHead(reply.status ?? 200, { 'content-length': Buffer.byteLength(body), ...reply.headers });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function readRequest(message: IncomingMessage): Promise<CloudRequest> {
  const { 'x-meant-origin': meant, ...headers } = message.headers;
  // A redirect to another origin takes no header along.
  const origin = typeof meant === 'string' ? meant : 'http://elsewhere';
  const url = new URL(message.url ?? '/', origin);
  if (meant !== undefined) assert.equal(headers.host, url.host);
  const body = await readText(message);
  const isForm = headers['content-type'] === 'application/x-www-form-urlencoded';
  return {
    method: message.method ?? '',
    origin,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers,
    body,
    form: isForm ? Object.fromEntries(new URLSearchParams(body)) : {},
    elsewhere: `http://localhost:${message.socket.localPort}/`,
  };
}

function createSend(context: TestContext): Send {
  const http = createHttpClient({ limits: defaultLimits });
  context.after(() => http.close());
  return createRetryingSend({
    exchange: http.exchange,
    limits: defaultLimits,
    now: () => 0,
    random: () => 0,
    sleep: async () => {},
    onRetry: () => {},
  });
}

/** Nothing but the address is changed: what is sent is what the cloud would get. */
function redirect(send: Send, routes: Readonly<Record<string, Route>>, server: string): Send {
  return async (request) => {
    assert.ok(request.maxBodyBytes <= 65_536);
    const { url } = request;
    const isThere = Object.keys(routes).some((name) => new URL(name.split(' ')[1] ?? '').origin === url.origin);
    const target = new URL(`${url.pathname}${url.search}`, isThere ? server : 'http://127.0.0.1:1');
    const headers = { ...request.headers, host: url.host, 'x-meant-origin': url.origin };
    const host = { ...request.host, origin: target.origin };
    const answer = await send({ ...request, host, url: target, headers });
    return answer.url.origin === server ? { ...answer, url } : answer;
  };
}

/** An error that repeats all that came, as text and as fields. */
export const repeat: Route = ({ body, form, headers }) => ({
  status: 400,
  json: { error: 'invalid_client', error_description: JSON.stringify([form, headers, body]) },
});

/** Rejects with the code and a message for people, in which no secret is. */
export async function assertFails(
  promise: Promise<unknown>,
  {
    code,
    message,
    remedy,
    secrets = [],
  }: { code: string; message: RegExp; remedy?: RegExp; secrets?: readonly string[] },
): Promise<void> {
  const error = await promise.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TallymanError)) throw error;
  assert.match(error.message, message);
  assert.match(error.message, /^Cannot sign in to "[^"]+": .* (?:was|were) wanted$/s);
  assert.equal(error.code, code);
  if (remedy !== undefined) assert.match(error.remedy, remedy);
  const shown = [error.message, error.remedy, String(error.cause), error.stack].join(' ');
  for (const secret of secrets) {
    assert.ok(!shown.includes(secret), `the error holds ${secret}: ${shown}`);
    assert.ok(!shown.includes(encodeURIComponent(secret)), `the error holds ${secret}, encoded: ${shown}`);
  }
}
