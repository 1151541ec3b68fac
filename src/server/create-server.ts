/** The HTTP server: webhooks, metrics, and probes of a cluster. Plain HTTP: TLS is what stands before it. */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Metrics } from '../pipeline/metrics-ports.ts';
import type { Log } from '../pipeline/ports.ts';
import { maxBodyBytes } from '../webhook/read-delivery.ts';
import type { Answer, Hook } from './create-hook.ts';
import { type BodyBudget, withBody } from './read-body.ts';
import type { Relay } from './relay.ts';

export interface ServerOptions {
  /** `127.0.0.1:8080`, `[::1]:8080`, or `:8080` for every address of the machine; port 0 is any that is free. */
  readonly listen: string;
  readonly hooks: readonly Hook[];
  /** Why all is not well, in words that everybody may read; undefined where it is. */
  readonly probes: {
    whyNotAlive(): string | undefined;
    whyNotReady(): Promise<string | undefined>;
    /** In one word, what it is ready for. */
    readyAs(): string;
  };
  /** Where deliveries go first, if another process may be the one to act on them. */
  readonly relay?: Relay | undefined;
  /** What is served at /metrics; without it there is nothing. */
  readonly renderMetrics?: (() => Promise<{ readonly contentType: string; readonly text: string }>) | undefined;
  readonly metrics?: Pick<Metrics, 'count'> | undefined;
  readonly log: Log;
  /** Longest time of one request, from its first byte to its last. Default 10 s. */
  readonly requestMs?: number;
}

export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Takes nothing new, finishes what is under way for up to a second, and ends. */
  close(): Promise<void>;
}

const graceMs = 1000;
/** Of all bodies under way. */
const maxHeldBytes = 32 * maxBodyBytes;
const maxConnections = 1000;

/** Listens at once; throws ConfigInvalid where the address cannot be had. */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { requestMs = 10_000 } = options;
  const routes = createRoutes(options);
  const limits = { requestTimeout: requestMs, headersTimeout: Math.min(requestMs, 5000), keepAliveTimeout: 5000 };
  const server = createHttpServer({ ...limits, connectionsCheckingInterval: Math.min(1000, requestMs / 2) });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => {
    void serve(request, routes)
      .catch((cause: unknown) => tellFault(cause, { request, log: options.log }))
      .then((answer) => respond(response, answer, { last: !server.listening }));
  });
  await listen(server, options.listen);
  return { url: formatUrl(server), close: () => close(server) };
}

/** What is served under a path. */
interface Route {
  readonly methods: readonly string[];
  answer(request: IncomingMessage): Answer | Promise<Answer>;
}

function createRoutes({ hooks, probes, renderMetrics, metrics, relay }: ServerOptions): ReadonlyMap<string, Route> {
  const page = (answer: Route['answer']): Route => ({ methods: ['GET', 'HEAD'], answer });
  const budget: BodyBudget = { heldBytes: 0, maxBytes: maxHeldBytes };
  const counted = (answer: Answer, hook: string): Answer => {
    metrics?.count('tallyman_webhook_deliveries_total', { hook, status: String(answer.status) });
    return answer;
  };
  const hookRoutes = hooks.map((hook): [string, Route] => [
    `/webhooks/${hook.name}`,
    {
      methods: ['POST'],
      answer: async (request) => counted(await receive(request, { hook, budget, relay }), hook.name),
    },
  ]);
  return new Map<string, Route>([
    ['/healthz', page(() => toProbeAnswer('alive', probes.whyNotAlive()))],
    ['/readyz', page(async () => toProbeAnswer(probes.readyAs(), await probes.whyNotReady()))],
    ...(renderMetrics === undefined ? [] : [['/metrics', page(async () => toText(await renderMetrics()))] as const]),
    ...hookRoutes,
  ]);
}

function toProbeAnswer(status: string, fault: string | undefined): Answer {
  return fault === undefined ? { status: 200, body: { status } } : { status: 503, body: { status: fault } };
}

function toText({ contentType, text }: { contentType: string; text: string }): Answer {
  return { status: 200, body: text, headers: { 'content-type': contentType } };
}

async function serve(request: IncomingMessage, routes: ReadonlyMap<string, Route>): Promise<Answer> {
  const [path = ''] = (request.url ?? '').split('?');
  const route = routes.get(path);
  if (route === undefined) return { status: 404, body: { error: 'there is nothing here' } };
  if (route.methods.includes(request.method ?? '')) return await route.answer(request);
  const allow = route.methods.join(', ');
  return { status: 405, body: { error: `${allow} was wanted` }, headers: { allow } };
}

interface Receiving {
  readonly hook: Hook;
  readonly budget: BodyBudget;
  readonly relay: Relay | undefined;
}

function receive(request: IncomingMessage, { hook, budget, relay }: Receiving): Promise<Answer> {
  return withBody(request, { maxBytes: maxBodyBytes, budget }, async (body): Promise<Answer> => {
    if (body === 'too-long')
      return { status: 413, body: { error: `the body is longer than ${maxBodyBytes} bytes` }, headers: closing };
    if (body === 'busy')
      return { status: 503, body: { error: 'too much at once' }, headers: { ...closing, 'retry-after': '1' } };
    const { headers, url = '' } = request;
    const query = url.split('?').slice(1).join('?');
    const answer = await relay?.({ path: url, headers, body });
    return answer ?? (await hook.receive({ headers, query, body }));
  });
}

const closing = { connection: 'close' };

/** Undefined where nobody waits for an answer any more. */
function tellFault(cause: unknown, { request, log }: { request: IncomingMessage; log: Log }): Answer | undefined {
  if (!request.complete) return undefined;
  const message = cause instanceof Error ? cause.message : 'unknown fault';
  log.error({ code: 'Internal' }, `Cannot answer a request: ${message}, an answer was wanted`);
  return { status: 500, body: { error: 'internal fault' } };
}

function respond(response: ServerResponse, answer: Answer | undefined, { last }: { last: boolean }): void {
  if (answer === undefined) return void response.destroy();
  const text = typeof answer.body === 'string' ? answer.body : `${JSON.stringify(answer.body)}\n`;
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(last && closing),
    ...answer.headers,
  };
  response.writeHead(answer.status, headers).end(text);
}

async function listen(server: Server, address: string): Promise<void> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  try {
    server.listen({ port: Number(address.slice(colon + 1)), ...(host !== '' && { host }) });
    await once(server, 'listening');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    throw new TallymanError('ConfigInvalid', `Cannot listen on "${address}": ${code}, a free address was wanted`, {
      remedy: 'Name a free address of this machine under `server.listen` in the configuration.',
      cause,
    });
  }
}

function formatUrl(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
