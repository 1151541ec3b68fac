/** Sends one request to a registry or its token server: the only file that speaks HTTP. */
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, request as sendRequest } from 'undici';
import { TallymanError } from '../error/tallyman-error.ts';
import { type Complaint, parseComplaint, parseWarning } from './complaint.ts';
import { listSecrets } from './credentials/credential.ts';
import { startDeadline } from './deadline.ts';
import { type Failure, translateFailure } from './failure.ts';
import { createGate } from './gate.ts';
import { findHopFault } from './hop.ts';
import type { RegistryHost } from './host.ts';
import type { Limits } from './limits.ts';
import { findNextUrl } from './next-url.ts';
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
  /** The bytes as sent; of an error answer only the first 64 KiB. */
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
  | ({ readonly kind: 'failed' } & Failure);

export interface HttpClient {
  /** One try. Throws only the signal's reason, where the signal ended it. */
  exchange(request: HttpRequest): Promise<Exchange>;
  close(): Promise<void>;
}

/** The Fetch standard allows 20, curl 50; registries need one, to where their blobs are. */
const maxHops = 5;
const maxErrorBytes = 64 * 1024;
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

export function createHttpClient(limits: Limits): HttpClient {
  const gate = createGate(limits.maxInFlight);
  const agents = createAgents(limits);

  async function exchange(request: HttpRequest): Promise<Exchange> {
    const { task } = request;
    const host = quote(request.url.host, 80);
    const attempt = startDeadline(request.signal, limits.attemptMs, () => {
      const found = `no whole answer came from "${host}" within ${limits.attemptMs / 1000} s`;
      return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, one was wanted`);
    });
    try {
      const answer = await follow(request, {
        dispatcher: agents.find(request.host.settings.ca),
        signal: attempt.signal,
      });
      return { kind: 'answered', answer };
    } catch (error) {
      request.signal.throwIfAborted();
      const found: unknown = attempt.signal.aborted ? attempt.signal.reason : error;
      return { kind: 'failed', ...translateFailure(found, { task, host }) };
    } finally {
      attempt.stop();
    }
  }

  return {
    exchange: (request) => gate.run(request.url.origin, request.signal, () => exchange(request)),
    close: agents.close,
  };
}

/** Agents differ by what they trust; each keeps its connections alive for the next request. */
function createAgents(limits: Limits): { find(ca: string | undefined): Agent; close(): Promise<void> } {
  const agents = new Map<string | undefined, Agent>();
  return {
    find: (ca) => {
      const trusted = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
      const agent =
        agents.get(ca) ??
        new Agent({
          headersTimeout: limits.headersMs,
          bodyTimeout: limits.bodyMs,
          connect: { timeout: limits.connectMs, ...trusted },
        });
      agents.set(ca, agent);
      return agent;
    },
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

interface Connection {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

async function follow(request: HttpRequest, connection: Connection): Promise<HttpAnswer> {
  let { url, authorization, headers } = request;
  for (let hop = 0; hop <= maxHops; hop += 1) {
    const response = await sendRequest(url, {
      ...connection,
      method: request.method ?? 'GET',
      body: request.body ?? null,
      headers: {
        ...headers,
        accept: request.accept,
        // Nothing is ever unpacked here, so a small answer stays small.
        'accept-encoding': 'identity',
        'user-agent': 'tallyman',
        ...(authorization !== undefined && { authorization }),
      },
    });
    if (!redirectStatuses.includes(response.statusCode) || request.method === 'POST' || request.method === 'PUT')
      return readAnswer(request, response, url);
    await response.body.dump({ limit: maxErrorBytes, signal: connection.signal });
    const next = parseLocation(request, joinLines(response.headers.location), url);
    if (next.origin !== url.origin) [authorization, headers] = [undefined, undefined];
    url = next;
  }
  throw refuse(request, `"${quote(request.url.host, 80)}" redirects more than ${maxHops} times, an answer was wanted`);
}

function parseLocation(request: HttpRequest, location: string | undefined, from: URL): URL {
  const next = location === undefined ? undefined : findNextUrl(location, from);
  const fault = next === undefined ? 'it names no URL' : findHopFault(from, next);
  if (next !== undefined && fault === undefined) return next;
  const found = `a redirect of "${quote(from.host, 80)}" is not followed: ${fault}`;
  throw refuse(request, `${found}, an address open to everybody was wanted`);
}

async function readAnswer(request: HttpRequest, response: Dispatcher.ResponseData, url: URL): Promise<HttpAnswer> {
  const headers = Object.fromEntries(Object.entries(response.headers).map(([name, lines]) => [name, joinLines(lines)]));
  const isError = response.statusCode >= 400;
  // Leaving the loop below early ends the stream with an error event of its own.
  response.body.on('error', () => {});
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity' && !isError) {
    response.body.destroy();
    throw refuse(
      request,
      `the answer of "${quote(url.host, 80)}" is packed as "${quote(encoding, 20)}", plain bytes were wanted`,
    );
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    size += chunk.length;
    if (isError && size > maxErrorBytes) break;
    if (size > request.maxBodyBytes)
      throw refuse(
        request,
        `the answer of "${quote(url.host, 80)}" is too long, at most ${request.maxBodyBytes} bytes were wanted`,
      );
  }
  const body = Buffer.concat(chunks);
  const secrets = findSecrets(request);
  const complaint = parseComplaint(isError ? body : Buffer.alloc(0), secrets);
  return {
    status: response.statusCode,
    headers,
    body,
    url,
    complaint,
    warning: parseWarning(headers.warning, secrets),
  };
}

/** What must not come back in a message, should the registry repeat it. */
function findSecrets({ authorization = '', host, secrets = [] }: HttpRequest): readonly string[] {
  return [authorization.slice(authorization.indexOf(' ') + 1), ...listSecrets(host.credential), ...secrets];
}

function joinLines(lines: string | string[] | undefined): string | undefined {
  return Array.isArray(lines) ? lines.join(', ') : lines;
}

function refuse(request: HttpRequest, found: string): TallymanError {
  return new TallymanError('RegistryInvalid', `Cannot ${request.task}: ${found}`);
}
