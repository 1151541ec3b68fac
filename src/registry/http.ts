/** Sends one request to a registry or its token server: the only file that speaks HTTP. */
import type { Dispatcher } from 'undici';
import { TallymanError } from '../error/tallyman-error.ts';
import { type AgentOptions, type Agents, createAgents, type Route } from './agents.ts';
import { isBadlyPacked, isReadable, readBody } from './body.ts';
import { type Complaint, parseComplaint, parseWarning } from './complaint.ts';
import { listSecrets } from './credentials/credential.ts';
import { startDeadline } from './deadline.ts';
import { type Failure, ProxyFault, translateFailure } from './failure.ts';
import { findHopFault } from './hop.ts';
import type { RegistryHost } from './host.ts';
import { findNextUrl } from './next-url.ts';
import { formatSignIn } from './proxy.ts';
import { quote } from './quote.ts';

/** A request; GET unless it says otherwise. */
export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | undefined;
  readonly host: RegistryHost;
  readonly url: URL;
  /** Media types, as the Accept header. */
  readonly accept: string;
  /** The Authorization header; goes to the URL's own origin only, never along with a redirect to another. */
  readonly authorization?: string | undefined;
  /** Other headers, names in lower case; they go along with redirects to the same origin only. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What a POST sends; its type goes in as the header `content-type`. POST and PUT are never redirected. */
  readonly body?: string | undefined;
  /** Tries in all; default as the limits say. */
  readonly maxTries?: number | undefined;
  /** Counted by registries that limit pulls: a GET of a manifest. */
  readonly isPull?: boolean | undefined;
  /** What must not come back in a message besides the host's credential and `authorization`, such as what `body` holds. */
  readonly secrets?: readonly string[] | undefined;
  readonly maxBodyBytes: number;
  /** What is being done, for messages: `list the tags of "ghcr.io/acme/web"` */
  readonly task: string;
  readonly signal: AbortSignal;
}

/** An answer of any status, after redirects. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; what came on several lines is joined by `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The bytes, unpacked where they came packed; of an error answer only the first 64 KiB, of a HEAD none. */
  readonly body: Buffer;
  /** Where it came from, which a redirect may have changed. */
  readonly url: URL;
  /** What an error answer says of itself; empty for any other. */
  readonly complaint: Complaint;
  /** What the registry warns of, whatever the status. */
  readonly warning: string | undefined;
}

export type Exchange =
  | { readonly kind: 'answered'; readonly answer: HttpAnswer }
  /** `origin`: of the hop that failed, which a redirect may have made another than the one that was asked. */
  | ({ readonly kind: 'failed'; readonly origin: string } & Failure);

export interface HttpClient {
  /** One try. Throws only the signal's reason, where the signal ended it. */
  exchange(request: HttpRequest): Promise<Exchange>;
  close(): Promise<void>;
}

/** The Fetch standard allows 20, curl 50; registries need one, to where their blobs are. */
const maxHops = 5;
const maxErrorBytes = 64 * 1024;
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];
/** What these carry is for whom it was sent to. */
const bodyMethods: readonly string[] = ['POST', 'PUT'];

export function createHttpClient(options: AgentOptions): HttpClient {
  const { limits } = options;
  const agents = createAgents(options);

  async function exchange(request: HttpRequest): Promise<Exchange> {
    const { task } = request;
    const host = quote(request.url.host, 80);
    const attempt = startDeadline(request.signal, limits.attemptMs, () => {
      const found = `no whole answer came from "${host}" within ${limits.attemptMs / 1000} s`;
      return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, one was wanted`);
    });
    const at = { origin: request.url.origin };
    try {
      const answer = await follow(request, { agents, signal: attempt.signal, at });
      return { kind: 'answered', answer };
    } catch (error) {
      request.signal.throwIfAborted();
      const found: unknown = attempt.signal.aborted ? attempt.signal.reason : error;
      return { kind: 'failed', ...at, ...translateFailure(found, { task, host }) };
    } finally {
      attempt.stop();
    }
  }

  return {
    exchange,
    close: agents.close,
  };
}

async function follow(
  request: HttpRequest,
  { agents, signal, at }: { agents: Agents; signal: AbortSignal; at: { origin: string } },
): Promise<HttpAnswer> {
  let hop: Hop = { ...request, route: agents.find(request.host, request.url), signal };
  for (let hops = 0; hops <= maxHops; hops += 1) {
    const response = await sendHop(hop);
    const isFollowed = redirectStatuses.includes(response.statusCode) && !bodyMethods.includes(request.method ?? 'GET');
    if (!isFollowed) return readAnswer(hop, response);
    await response.body.dump({ limit: maxErrorBytes, signal });
    const url = parseLocation(hop, joinLines(response.headers.location));
    const bare = url.origin === hop.url.origin ? {} : { authorization: undefined, headers: undefined };
    hop = { ...hop, ...bare, url, route: agents.find(request.host, url) };
    at.origin = url.origin;
  }
  throw refuse(request, `"${quote(request.url.host, 80)}" redirects more than ${maxHops} times, an answer was wanted`);
}

/** One of the requests that a redirect makes of one. */
interface Hop extends HttpRequest {
  readonly route: Route;
}

async function sendHop({ route, url, signal, ...request }: Hop): Promise<Dispatcher.ResponseData> {
  const { dispatcher, proxy } = route;
  const headers = {
    ...request.headers,
    accept: request.accept,
    // What is packed all the same is unpacked, but a small answer had better be small.
    'accept-encoding': 'identity',
    'user-agent': 'tallyman',
    ...(request.authorization !== undefined && { authorization: request.authorization }),
  };
  const options = { method: request.method ?? 'GET', body: request.body ?? null, signal };
  if (proxy === undefined || url.protocol === 'https:')
    return dispatcher.request({ ...options, origin: url.origin, path: `${url.pathname}${url.search}`, headers });
  // RFC 9112, section 3.2.2: a proxy is asked for the whole URL.
  const path = `${url.origin}${url.pathname}${url.search}`;
  const proxied = { ...headers, host: url.host, ...formatSignIn(proxy) };
  const response = await dispatcher.request({ ...options, origin: proxy.origin, path, headers: proxied });
  if (response.statusCode !== 407) return response;
  await response.body.dump({ limit: maxErrorBytes, signal });
  throw new ProxyFault(proxy.host, { status: 407 });
}

function parseLocation(hop: Hop, location: string | undefined): URL {
  const next = location === undefined ? undefined : findNextUrl(location, hop.url);
  const { trustedOrigins } = hop.host.settings;
  const fault = next === undefined ? 'it names no URL' : findHopFault(hop.url, next, trustedOrigins);
  if (next !== undefined && fault === undefined) return next;
  const found = `a redirect of "${quote(hop.url.host, 80)}" is not followed: ${fault}`;
  throw refuse(hop, `${found}, an address open to everybody was wanted`);
}

async function readAnswer(hop: Hop, response: Dispatcher.ResponseData): Promise<HttpAnswer> {
  const { statusCode: status } = response;
  const headers = Object.fromEntries(Object.entries(response.headers).map(([name, lines]) => [name, joinLines(lines)]));
  const encoding = headers['content-encoding']?.trim().toLowerCase() || 'identity';
  const body = hop.method === 'HEAD' ? await dropBody(response) : await readAnswerBody(hop, response, encoding);
  const secrets = findSecrets(hop);
  return {
    status,
    headers,
    body,
    url: hop.url,
    complaint: parseComplaint(status >= 400 ? body : Buffer.alloc(0), secrets),
    warning: parseWarning(headers.warning, secrets),
  };
}

async function dropBody({ body }: Dispatcher.ResponseData): Promise<Buffer> {
  await body.dump();
  return Buffer.alloc(0);
}

async function readAnswerBody(hop: Hop, response: Dispatcher.ResponseData, encoding: string): Promise<Buffer> {
  const host = quote(hop.url.host, 80);
  if (response.statusCode >= 400) return readErrorBody(response, isReadable(encoding) ? encoding : 'identity');
  if (!isReadable(encoding)) {
    response.body.on('error', () => {}).destroy();
    throw refuse(hop, `the answer of "${host}" is packed as "${quote(encoding, 20)}", plain bytes were wanted`);
  }
  const { bytes, isTooLong } = await readBody(response.body, { encoding, maxBytes: hop.maxBodyBytes });
  if (!isTooLong) return bytes;
  throw refuse(hop, `the answer of "${host}" is too long, at most ${hop.maxBodyBytes} bytes were wanted`);
}

/** What an error answer says in words matters less than that it is one: words that cannot be unpacked are none. */
async function readErrorBody({ body }: Dispatcher.ResponseData, encoding: string): Promise<Buffer> {
  try {
    const { bytes } = await readBody(body, { encoding, maxBytes: maxErrorBytes });
    return bytes;
  } catch (error) {
    if (isBadlyPacked(error)) return Buffer.alloc(0);
    throw error;
  }
}

/** What must not come back in a message, should the registry repeat it. */
function findSecrets({ authorization = '', host, secrets = [], route }: Hop): readonly string[] {
  const token = authorization.slice(authorization.indexOf(' ') + 1);
  return [token, ...listSecrets(host.credential), ...secrets, ...(route.proxy?.secrets ?? [])];
}

function joinLines(lines: string | string[] | undefined): string | undefined {
  return Array.isArray(lines) ? lines.join(', ') : lines;
}

function refuse(request: HttpRequest, found: string): TallymanError {
  return new TallymanError('RegistryInvalid', `Cannot ${request.task}: ${found}`);
}
