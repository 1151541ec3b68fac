/** Calls to the Kubernetes API: one place that signs in, bounds time and size, and says what an answer means. */
import type http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { printable } from '../error/printable.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { createSignIn } from './sign-in.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As `formatPath` makes it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; of a PATCH what kind it is. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Until the whole answer is here; default 15,000. */
  readonly timeoutMs?: number;
}

/** What the API server answered; `refused` with what it calls the reason: `NotFound`, `Conflict`, `Invalid`, `Expired`. */
export type ApiAnswer<Body> =
  | { readonly kind: 'done'; readonly body: Body }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string; readonly message: string };

/** One line of a watch. */
export interface WatchLine {
  readonly type: string;
  readonly object: unknown;
}

/**
 * The API server of one cluster. Throws `ClusterUnavailable` where it cannot be reached, is too busy (429, 5xx) or does not
 * answer in time, `ClusterDenied` where it does not let in (401) or does not allow (403); an aborted call throws the
 * signal's reason.
 */
export interface KubernetesApi {
  /** Of this process: where it runs, or as the kubeconfig's context says; `default` where neither tells. */
  readonly namespace: string;
  request<Body>(request: ApiRequest): Promise<ApiAnswer<Body>>;
  /** The lines of a watch until the server ends it. A watch that is refused throws as `request` does, or `WatchRefused`. */
  watch(request: Pick<ApiRequest, 'path' | 'query' | 'signal'>): AsyncIterable<WatchLine>;
  /** Ends the connections. */
  close(): void;
}

/** The server does not begin a watch where it was asked to: `status` is 410 where the place is too long ago. */
export class WatchRefused extends Error {
  override readonly name = 'WatchRefused';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const answerTimeoutMs = 15_000;
/** An API server sends no object above 3 MiB (etcd's limit is 1.5), and pages of lists are bounded by who asks. */
const maxAnswerBytes = 64 * 1024 * 1024;
const maxLineBytes = 8 * 1024 * 1024;
/** The server ends a watch after that time; half a minute later the connection is taken for dead. */
const watchSeconds = 300;

/** Nothing is contacted yet. Throws `ConfigInvalid` as `load` does, and where the kubeconfig names no cluster. */
export function createKubernetesApi(load: () => KubeConfig): KubernetesApi {
  const signIn = createSignIn(load);
  const { cluster, namespace } = signIn;
  const base = new URL(cluster.server);
  const agent = new https.Agent({ keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 64 });
  // A watch holds its connection for minutes: one more must not wait for others, nor keep requests waiting.
  const watchAgent = new https.Agent({ keepAlive: true, keepAliveMsecs: 15_000 });

  /** The answer's head; its body is to be read. */
  async function open(request: ApiRequest, signal: AbortSignal, by = agent): Promise<http.IncomingMessage> {
    const { method, path, query = {}, body, contentType = 'application/json' } = request;
    const url = new URL(base);
    url.pathname = `${base.pathname.replace(/\/$/, '')}${path}`;
    url.search = new URLSearchParams(query).toString();
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options: https.RequestOptions = {
      headers: {
        Accept: 'application/json',
        'User-Agent': 'tallyman',
        ...(payload && { 'Content-Type': contentType, 'Content-Length': payload.length }),
      },
    };
    await signIn.apply(options, signal);
    // The library makes an agent for each call, and so a connection; its own is needed only to go through a proxy.
    if (cluster.proxyUrl === undefined) options.agent = by;
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const sent = https.request(url, { ...options, method, signal });
      sent.once('response', resolve).once('error', reject);
      sent.setNoDelay(true);
      sent.end(payload);
    });
    if (response.statusCode === 401) signIn.renew();
    return response;
  }

  return {
    namespace,
    async request<Body>(request: ApiRequest): Promise<ApiAnswer<Body>> {
      const limit = AbortSignal.timeout(request.timeoutMs ?? answerTimeoutMs);
      const stop = joinSignals(request.signal, limit);
      try {
        const response = await open(request, stop.signal);
        const text = await readText(response, maxAnswerBytes);
        return readAnswer<Body>(request, response.statusCode ?? 0, text);
      } catch (error) {
        request.signal.throwIfAborted();
        throw toClusterError(error, { request, server: base.host, timedOut: limit.aborted });
      } finally {
        stop.release();
      }
    },
    async *watch({ path, query, signal }) {
      const request: ApiRequest = {
        method: 'GET',
        path,
        query: { ...query, watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(watchSeconds) },
        signal,
      };
      const limit = AbortSignal.timeout((watchSeconds + 30) * 1000);
      const stop = joinSignals(signal, limit);
      try {
        const response = await open(request, stop.signal, watchAgent);
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          const answer = readAnswer(request, status, await readText(response, maxAnswerBytes));
          throw new WatchRefused(status, answer.kind === 'refused' ? answer.message : `status ${status}`);
        }
        yield* readLines(response);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof WatchRefused) throw error;
        throw toClusterError(error, { request, server: base.host, timedOut: limit.aborted });
      } finally {
        stop.release();
      }
    },
    close() {
      agent.destroy();
      watchAgent.destroy();
    },
  };
}

/** Aborts when one of both does; `release` lets go of them, for the first may live as long as the process. */
function joinSignals(first: AbortSignal, second: AbortSignal): { signal: AbortSignal; release(): void } {
  const joined = new AbortController();
  const stop = () => joined.abort(first.aborted ? first.reason : second.reason);
  for (const signal of [first, second]) signal.addEventListener('abort', stop, { once: true });
  if (first.aborted || second.aborted) stop();
  return {
    signal: joined.signal,
    release() {
      for (const signal of [first, second]) signal.removeEventListener('abort', stop);
      joined.abort();
    },
  };
}

async function readText(response: http.IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`an answer above ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* readLines(response: http.IncomingMessage): AsyncIterable<WatchLine> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineBytes) throw new Error(`a line above ${maxLineBytes} bytes`);
    for (const line of lines) if (line.trim() !== '') yield parseLine(line);
  }
}

/** What the parser says would repeat parts of the line, which may be a Secret's. */
function parseLine(line: string): WatchLine {
  const parsed = parseJson(line);
  if (parsed === undefined) throw new Error('a line that is no JSON');
  return parsed as WatchLine;
}

interface StatusBody {
  readonly reason?: unknown;
  readonly message?: unknown;
}

function readAnswer<Body>(request: ApiRequest, status: number, text: string): ApiAnswer<Body> {
  const body = parseJson(text);
  if (status >= 200 && status < 300 && body !== undefined) return { kind: 'done', body: body as Body };
  const { reason, message } = (body ?? {}) as StatusBody;
  const told = printable(typeof message === 'string' ? message : `status ${status}`).slice(0, 500);
  const what = `${request.method} ${request.path}`;
  if (status === 401 || status === 403) {
    const found = status === 401 ? 'the API server does not accept who asks' : told;
    throw new TallymanError('ClusterDenied', `Cannot ${what}: ${found}, one who may was wanted`);
  }
  if (status < 400 || status === 429 || status >= 500)
    throw new TallymanError(
      'ClusterUnavailable',
      `Cannot ${what}: the API server says "${told}", an answer was wanted`,
    );
  return { kind: 'refused', status, reason: typeof reason === 'string' ? reason : String(status), message: told };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toClusterError(
  error: unknown,
  { request, server, timedOut }: { request: ApiRequest; server: string; timedOut: boolean },
): TallymanError {
  if (error instanceof TallymanError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const found = timedOut ? 'it did not answer in time' : (code ?? (error instanceof Error ? error.message : 'unknown'));
  return new TallymanError(
    'ClusterUnavailable',
    `Cannot ${request.method} ${request.path} at ${printable(server)}: ${printable(found)}, an answer was wanted`,
    { cause: error },
  );
}
