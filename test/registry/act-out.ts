/** Facts about registries as plays: a fact, how the registry behaves, and what the client must make of it. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { it, type TestContext } from 'node:test';
import type { Registry } from '../../src/pipeline/ports.ts';
import type { RegistryOptions } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import { type OpenRegistry, openRegistry } from './open-registry.ts';

/** A request as the registry sees it. */
export interface Call {
  readonly method: string;
  /** `/v2/acme/web/tags/list` */
  readonly path: string;
  readonly query: URLSearchParams;
  /** As the client addressed the registry: `http://127.0.0.1:40123` */
  readonly origin: string;
  readonly headers: IncomingMessage['headers'];
  readonly authorization: string | undefined;
  /** Of a POST: its form. */
  readonly form: URLSearchParams;
}

export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly json?: unknown;
  readonly body?: string | Buffer;
}

/** What the registry answers; undefined leaves the answer to the registry in memory, `silence` never gives one. */
export type Behaviour = (call: Call) => Reply | 'silence' | undefined;

export interface Play {
  /** Its number: `18` */
  readonly fact: string;
  readonly name: string;
  /** The host that images name, of which the registry is the endpoint; default its own address. */
  readonly host?: string;
  /** Of every host; `url` is the registry's address. */
  readonly settings?: (url: string) => HostSettings;
  readonly options?: Partial<RegistryOptions>;
  readonly registry: Behaviour;
  readonly client: (scene: Scene) => Promise<void>;
}

export interface Scene extends OpenRegistry {
  readonly calls: readonly Call[];
  /** Moves with what the client sleeps, and by hand. */
  readonly clock: { aheadMs: number };
  /** The calls in short: `GET /v2/acme/web/tags/list Bearer`; `-` without a sign-in. */
  asked(): string[];
  /** Tags of `acme/web` or of another repository. */
  list(path?: string): Promise<readonly string[]>;
  fetch(tag: string, options?: { platforms?: boolean }): ReturnType<Registry['fetchManifest']>;
}

/** One test for each play. */
export function actOut(plays: readonly Play[]): void {
  for (const play of plays) it(`${play.fact}: ${play.name}`, async (t) => play.client(await openScene(t, play)));
}

/** The registry and the client of a play; both end with the test. */
export async function openScene(t: TestContext, play: Omit<Play, 'fact' | 'name' | 'client'>): Promise<Scene> {
  const { registry, settings = () => ({}), options = {} } = play;
  const calls: Call[] = [];
  const clock = { aheadMs: 0 };
  const waits: number[] = [];
  let url = '';
  const open: OpenRegistry = await openRegistry(t, {
    hosts: () => ({ ...settings(url), ...(play.host !== undefined && { endpoint: url }) }),
    now: () => Date.now() + clock.aheadMs,
    sleep: async (waitMs) => {
      waits.push(waitMs);
      clock.aheadMs += waitMs;
    },
    ...options,
    server: { intercept: (request, response) => answer(request, response, { calls, registry }) },
  });
  url = open.server.url;
  const { client, signal } = open;
  const repository = { host: play.host ?? open.repository.host, path: open.repository.path };
  return {
    ...open,
    repository,
    calls,
    clock,
    waits,
    asked: () =>
      calls.map(({ method, path, authorization = '-' }) => `${method} ${path} ${authorization.split(' ')[0]}`),
    list: async (path = repository.path) => (await client.listTags({ ...repository, path }, { signal })).tags,
    fetch: (tag, about = {}) => client.fetchManifest(repository, tag, { signal, ...about }),
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { calls, registry }: { calls: Call[]; registry: Behaviour },
): boolean {
  const { method = '', headers } = request;
  const origin = `http://${headers.host}`;
  const url = new URL(request.url ?? '/', origin);
  const respond = (form: URLSearchParams): boolean => {
    const call = { method, path: url.pathname, query: url.searchParams, origin, headers, form };
    calls.push({ ...call, authorization: headers.authorization });
    const reply = registry({ ...call, authorization: headers.authorization });
    if (reply !== undefined && reply !== 'silence') send(response, reply, method);
    return reply !== undefined;
  };
  if (method !== 'POST') return respond(new URLSearchParams());
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => respond(new URLSearchParams(Buffer.concat(chunks).toString())));
  return true;
}

function send(response: ServerResponse, { status = 200, headers, json, body }: Reply, method: string): void {
  const isJson = json !== undefined;
  response.writeHead(status, { ...(isJson && { 'content-type': 'application/json; charset=utf-8' }), ...headers });
  response.end(method === 'HEAD' ? undefined : isJson ? JSON.stringify(json) : body);
}

/** An answer of the tag list with one tag. */
export const oneTag: Behaviour = ({ path }) =>
  path.endsWith('/tags/list') ? { json: { name: path.slice(4, -10), tags: ['1.0'] } } : undefined;

/** A manifest or index as it is sent. */
export function sendManifest(manifest: object, mediaType = 'application/vnd.oci.image.manifest.v1+json') {
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...manifest }));
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  return { digest, body, headers: { 'content-type': mediaType, 'docker-content-digest': digest } };
}

/** The body that registries send with an error. */
export function complain(status: number, code: string, message = code.toLowerCase()): Reply {
  return { status, json: { errors: [{ code, message, detail: null }] } };
}

interface Gate {
  /** The WWW-Authenticate header of a request without a token; default names `/token` on the same host. */
  readonly challenge?: (call: Call) => string | string[];
  /** Where the token server is; default `/token`. */
  readonly tokenPath?: string;
  /** What the token server answers; default a token `t1`, then `t2`, … */
  readonly token?: Behaviour;
}

/** A registry that wants a token, and its token server. */
export function behindToken(gate: Gate, registry: Behaviour = oneTag): Behaviour {
  const { tokenPath = '/token', challenge = ({ origin }) => `Bearer realm="${origin}/token",service="s"` } = gate;
  let tokens = 0;
  return (call) => {
    if (call.path === tokenPath) {
      tokens += 1;
      return gate.token === undefined ? { json: { token: `t${tokens}` } } : gate.token(call);
    }
    if (call.authorization?.startsWith('Bearer ') === true) return registry(call);
    const refusal = complain(401, 'UNAUTHORIZED', 'authentication required');
    return { ...refusal, headers: { 'www-authenticate': challenge(call) } };
  };
}

/** A name server on which every name is this machine. */
export const everythingHere: NonNullable<RegistryOptions['lookup']> = (_hostname, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

/** A name server that notes what it is asked and knows no name. */
export function noteNames(names: string[]): NonNullable<RegistryOptions['lookup']> {
  return (hostname, _options, callback) => {
    names.push(hostname);
    callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '');
  };
}
