/** Asks a forge's API: the only file of this folder that speaks HTTP. JSON both ways, one request at a time. */
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { TallymanError } from '../error/tallyman-error.ts';
import { findSaid, forgeInvalid, forgeUnavailable, fromForgeNetwork, fromForgeStatus } from './errors.ts';
import type { ForgeLimits } from './limits.ts';
import { findLimitWait } from './rate-limit.ts';

/** The client's side of TLS. */
export interface ForgeTls {
  /** PEM certificates of a private authority, trusted besides the well-known ones. */
  readonly ca?: string | undefined;
  /** PEM by which the client shows who it is. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
}

export interface ForgeHttpOptions {
  /** `https://api.github.com`, without a slash at its end; requests never leave its origin. */
  readonly apiUrl: string;
  /** The Authorization header; asked at each request, so that a rotated token works at once. */
  readonly authorize: (options: {
    signal: AbortSignal;
  }) => Promise<{ readonly header: string; readonly secrets: readonly string[] } | undefined>;
  /** Sent with each request, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Asked at each request, so that changed certificates work at once; what it throws, the call throws. */
  readonly tls?: (() => ForgeTls) | undefined;
  /** Address of the HTTP proxy for a URL, `http://user:password@proxy.example.com:3128`; default none for any. */
  readonly proxy?: ((url: URL) => string | undefined) | undefined;
  /** Asked right before a request leaves that changes something; what it throws, the call throws. */
  readonly checkWrite?: (() => void) | undefined;
  readonly limits: ForgeLimits;
  readonly now: () => number;
  readonly random: () => number;
  /** Resolves after the time, or at once when the signal aborts. */
  readonly sleep: (ms: number, options: { signal: AbortSignal }) => Promise<void>;
}

export interface ForgeRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  /** Below `apiUrl`, with a slash in front, escaped; or a whole URL of the same origin that the forge gave. */
  readonly path: string;
  readonly body?: object;
  /** For messages: `open a pull request in "acme/deploy"` */
  readonly task: string;
  /** Statuses that are answers though they are no successes. */
  readonly accepts?: readonly number[];
  /** Not sent again after a failure: twice would show. */
  readonly once?: boolean;
  readonly signal: AbortSignal;
}

export interface ForgeAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
  /** What an error answer says of itself, without secrets; empty for a success. */
  readonly said: string;
}

export interface ForgeHttp {
  /** The answer: a success, or of an accepted status. Other failures are TallymanErrors. */
  send(request: ForgeRequest): Promise<ForgeAnswer>;
  close(): Promise<void>;
}

const maxHops = 3;
const redirectStatuses: readonly number[] = [301, 302, 307, 308];

export function createForgeHttp(options: ForgeHttpOptions): ForgeHttp {
  const { limits, now, random, sleep } = options;
  const { host } = new URL(options.apiUrl);
  const dispatchers = createDispatchers(options);
  /** A forge may lock out who goes on asking while it wants to be left alone. */
  let quietUntilMs = 0;

  async function waitQuietly({ task, signal }: ForgeRequest): Promise<void> {
    const waitMs = quietUntilMs - now();
    if (waitMs <= 0) return;
    if (waitMs > limits.maxWaitMs) {
      const found = `"${host}" asks to be left alone for ${Math.ceil(waitMs / 1000)} s`;
      throw forgeUnavailable({ task, host }, `${found}, at most ${limits.maxWaitMs / 1000} s were wanted`);
    }
    await sleep(waitMs * (1 + random() / 10), { signal });
    signal.throwIfAborted();
  }

  /** Why the answer is none; undefined for a success and for a status that the request takes for an answer. */
  function judge(answer: ForgeAnswer, { task, accepts }: ForgeRequest): TallymanError | undefined {
    if (answer.status < 300 || accepts?.includes(answer.status) === true) return undefined;
    const limitMs = findLimitWait(answer, now());
    if (limitMs === undefined) return fromForgeStatus(answer.status, { task, host, said: answer.said });
    quietUntilMs = Math.max(quietUntilMs, now() + Math.max(1000, limitMs));
    return forgeUnavailable({ task, host }, `"${host}" limits the requests (${answer.status}), a success was wanted`);
  }

  async function send(request: ForgeRequest): Promise<ForgeAnswer> {
    for (let tries = 1; ; tries += 1) {
      await waitQuietly(request);
      const outcome = await tryOnce(request, { ...options, findDispatcher: dispatchers.find, host });
      const failure = 'error' in outcome ? outcome.error : judge(outcome, request);
      if ('status' in outcome && failure === undefined) return outcome;
      const isLast = tries >= limits.maxTries || request.once === true;
      if (failure !== undefined && (isLast || failure.code !== 'ForgeUnavailable')) throw failure;
      if (quietUntilMs > now()) continue;
      await sleep(500 * 2 ** tries * (0.5 + random()), { signal: request.signal });
      request.signal.throwIfAborted();
    }
  }

  return { send, close: () => dispatchers.close() };
}

/** One for the certificates as they are now: whenever they change, the one before ends with its last answer. */
function createDispatchers(options: ForgeHttpOptions) {
  let current: { readonly key: string; readonly dispatcher: Dispatcher } | undefined;
  return {
    find(): Dispatcher {
      const tls = options.tls?.() ?? {};
      const key = JSON.stringify([tls.ca, tls.clientCertificate]);
      if (current?.key === key) return current.dispatcher;
      current?.dispatcher.close().catch(() => undefined);
      current = { key, dispatcher: createDispatcher(options, tls) };
      return current.dispatcher;
    },
    // Not close(): it would wait for an answer that a stalled server never ends.
    close: async (): Promise<void> => await current?.dispatcher.destroy(),
  };
}

function createDispatcher(
  { apiUrl, proxy, limits }: ForgeHttpOptions,
  { ca, clientCertificate }: ForgeTls,
): Dispatcher {
  const timeouts = { headersTimeout: limits.attemptMs, bodyTimeout: limits.attemptMs };
  const tls = {
    timeout: limits.connectMs,
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...clientCertificate,
  };
  const uri = proxy?.(new URL(apiUrl));
  return uri === undefined
    ? new Agent({ ...timeouts, connect: tls })
    : new ProxyAgent({ ...timeouts, uri, requestTls: tls });
}

type Trying = ForgeHttpOptions & { readonly findDispatcher: () => Dispatcher; readonly host: string };

/** One try with its redirects. Throws only the signal's reason, and what the credential's source throws. */
async function tryOnce(request: ForgeRequest, trying: Trying): Promise<ForgeAnswer | { error: TallymanError }> {
  const { task, signal } = request;
  signal.throwIfAborted();
  const { host, limits } = trying;
  const authorization = await trying.authorize({ signal });
  // Right before it is used: where certificates change, the one before is closed.
  const dispatcher = trying.findDispatcher();
  const attempt = new AbortController();
  const late = forgeUnavailable(
    { task, host },
    `no whole answer came from "${host}" within ${limits.attemptMs / 1000} s`,
  );
  const timer = setTimeout(() => attempt.abort(late), limits.attemptMs);
  const stop = () => attempt.abort(signal.reason);
  // Many calls may share one signal; Node would take eleven for a leak.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await follow(request, { ...trying, dispatcher, authorization, attempt: attempt.signal });
  } catch (error) {
    signal.throwIfAborted();
    return { error: fromForgeNetwork(attempt.signal.aborted ? late : error, { task, host }) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

interface Hopping extends Trying {
  readonly dispatcher: Dispatcher;
  readonly authorization: Awaited<ReturnType<ForgeHttpOptions['authorize']>>;
  readonly attempt: AbortSignal;
}

async function follow(request: ForgeRequest, hopping: Hopping): Promise<ForgeAnswer> {
  const api = new URL(hopping.apiUrl);
  let url = request.path.startsWith('/') ? new URL(`${hopping.apiUrl}${request.path}`) : new URL(request.path);
  for (let hops = 0; hops <= maxHops; hops += 1) {
    if (url.origin !== api.origin) break;
    const response = await hopping.dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      headers: formatHeaders(request, hopping),
      body: toSentBody(request, hopping),
      signal: hopping.attempt,
    });
    if (!redirectStatuses.includes(response.statusCode)) return await readAnswer(response, request, hopping);
    await response.body.dump({ limit: 64 * 1024 });
    const { location } = response.headers;
    // A write that is redirected would be made somewhere that nobody named.
    if (request.method !== 'GET' || typeof location !== 'string' || !URL.canParse(location, url.href)) break;
    url = new URL(location, url.href);
  }
  const found = `"${hopping.host}" redirects the request, the repository's own address was wanted`;
  throw forgeInvalid(
    { task: request.task, host: hopping.host },
    found,
    'Write the new address of the repository under `repos`.',
  );
}

/** A stream is asked for its bytes once the connection is there: nothing lies between the check and the network. */
function toSentBody({ method, body }: ForgeRequest, { checkWrite }: Hopping): string | Readable | null {
  if (body === undefined) return null;
  const text = JSON.stringify(body);
  if (method === 'GET' || checkWrite === undefined) return text;
  return Readable.from(readOnce(text, checkWrite));
}

function* readOnce(text: string, check: () => void): Generator<Buffer> {
  check();
  yield Buffer.from(text);
}

function formatHeaders({ body }: ForgeRequest, { headers, authorization }: Hopping): Record<string, string> {
  return {
    accept: 'application/json',
    ...headers,
    'user-agent': 'tallyman',
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(JSON.stringify(body))),
    }),
    ...(authorization && { authorization: authorization.header }),
  };
}

async function readAnswer(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  request: ForgeRequest,
  { host, limits, authorization }: Hopping,
): Promise<ForgeAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limits.maxAnswerBytes)
      throw forgeInvalid(
        { task: request.task, host },
        `the answer of "${host}" is too long, at most ${limits.maxAnswerBytes} bytes were wanted`,
      );
    chunks.push(chunk);
  }
  const json = parseJson(Buffer.concat(chunks, bytes));
  return {
    status,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
    ),
    json,
    said: status < 300 ? '' : findSaid(json, authorization?.secrets ?? []),
  };
}

/** Never throws: a parser's message quotes its input. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
