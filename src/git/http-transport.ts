/** Git over HTTP(S): timeouts, bounded answers, basic auth for the configured origin alone. Source: git's "gitprotocol-http". */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { fromHttpStatus, fromNetwork, repoInvalid, repoUnavailable, showUrl } from './errors.ts';
import { createHttpRoutes, type HttpRouteOptions } from './http-routes.ts';
import { readPieces } from './read-pieces.ts';
import { agent, type GitService, type GitTransport, type TransportOptions } from './transport.ts';
import { createWatchdog, type TimeLimits, type Watchdog } from './watchdog.ts';

export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** Undefined: there is none. */
export type ReadCredential = (options: { signal: AbortSignal }) => Promise<Credential | undefined>;

export interface HttpTransportOptions extends TimeLimits, Pick<HttpRouteOptions, 'tls' | 'proxy'> {
  /** `https://host/path`; user information in it is used where `credential` gives none. */
  readonly url: string;
  /** Asked at each request, so that a rotated password works at once. */
  readonly credential?: ReadCredential | undefined;
  /** Told that the server refused it; true where another may be had at once. */
  readonly refuseCredential?: ((credential: Credential) => boolean) | undefined;
  /** Asked right before a push's bytes leave, piece by piece; what it throws, the push throws. */
  readonly checkWrite?: (() => void) | undefined;
  /** Largest answer read, in bytes. */
  readonly maxAnswerBytes: number;
}

interface Call extends TransportOptions {
  readonly method: 'GET' | 'POST';
  /** What follows the repository's URL: `/git-upload-pack`. */
  readonly suffix: string;
  readonly service: GitService;
  readonly body?: Buffer;
}

const maxRedirects = 3;

/** A transport over HTTP. Redirects are followed for the first request only, and only within the configured origin. */
export function createHttpTransport(options: HttpTransportOptions): GitTransport {
  const { origin, pathname, fromUrl } = parseUrl(options.url);
  const shownUrl = showUrl(options.url);
  const routes = createHttpRoutes({ ...options, task: `reach Yaml repo "${shownUrl}"` });
  let repoPath = pathname;
  const ask = async (call: Call, credential: Credential | undefined, watchdog: Watchdog): Promise<Buffer | number> => {
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const answer = await routes.send({
        url: new URL(repoPath + call.suffix, origin),
        method: call.method,
        headers: formatHeaders(call, credential),
        signal: watchdog.signal,
        body: toSentBody(call, options),
      });
      watchdog.touch();
      if (answer.statusCode === 200)
        return await readAnswer(answer, { call, shownUrl, watchdog, maxBytes: options.maxAnswerBytes });
      await answer.body.dump({ limit: 64 * 1024 });
      const moved = findRedirect(answer, { origin, suffix: call.suffix, follows: call.method === 'GET', shownUrl });
      if (moved === undefined) return answer.statusCode;
      repoPath = moved;
    }
    throw repoInvalid(`Cannot read Yaml repo "${shownUrl}": the server redirects more than ${maxRedirects} times`);
  };
  const askTwice = async (call: Call, watchdog: Watchdog): Promise<Buffer> => {
    for (let again = false; ; again = true) {
      const credential = (await options.credential?.({ signal: watchdog.signal })) ?? fromUrl;
      const answer = await ask(call, credential, watchdog);
      if (typeof answer !== 'number') return answer;
      const isNew = answer === 401 && credential !== undefined && options.refuseCredential?.(credential) === true;
      if (again || !isNew) throw fromHttpStatus(answer, { url: shownUrl, service: call.service });
    }
  };
  const request = async (call: Call): Promise<Buffer> => {
    const watchdog = createWatchdog(options, call.signal);
    try {
      return await askTwice(call, watchdog);
    } catch (error) {
      call.signal.throwIfAborted();
      const expired = watchdog.expired();
      if (expired !== undefined)
        throw repoUnavailable(`Cannot reach Yaml repo "${shownUrl}": ${expired}, an answer was wanted`, error);
      throw fromNetwork(error, shownUrl);
    } finally {
      watchdog.stop();
    }
  };
  return {
    shownUrl,
    advertise: (service, given) =>
      request({ ...given, method: 'GET', service, suffix: `/info/refs?service=${service}` }),
    exchange: (service, body, given) => request({ ...given, method: 'POST', service, suffix: `/${service}`, body }),
    close: () => routes.close(),
  };
}

function parseUrl(url: string): { origin: string; pathname: string; fromUrl: Credential | undefined } {
  const wanted = 'an http:// or https:// URL was wanted';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw repoInvalid(`Cannot use Yaml repo "${showUrl(url)}": it is no URL, ${wanted}`);
  }
  if (!/^https?:$/.test(parsed.protocol))
    throw repoInvalid(`Cannot use Yaml repo "${showUrl(url)}": it begins with "${parsed.protocol}", ${wanted}`);
  const fromUrl =
    parsed.username === '' && parsed.password === ''
      ? undefined
      : { username: decodeURIComponent(parsed.username), password: decodeURIComponent(parsed.password) };
  return { origin: parsed.origin, pathname: parsed.pathname.replace(/\/+$/, ''), fromUrl };
}

/** A stream is asked for its bytes once the connection is there: nothing lies between the check and the network. */
function toSentBody({ body, service }: Call, { checkWrite }: HttpTransportOptions): Buffer | Readable | undefined {
  if (body === undefined || service !== 'git-receive-pack' || checkWrite === undefined) return body;
  return Readable.from(readPieces(body, checkWrite));
}

function formatHeaders(call: Call, credential: Credential | undefined): Record<string, string> {
  return {
    'user-agent': `git/${agent}`,
    accept: call.method === 'GET' ? '*/*' : `application/x-${call.service}-result`,
    'cache-control': 'no-cache',
    ...(call.version2 && { 'git-protocol': 'version=2' }),
    ...(call.body && {
      'content-type': `application/x-${call.service}-request`,
      'content-length': String(call.body.length),
    }),
    ...(credential && {
      authorization: `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`,
    }),
  };
}

interface Reading {
  readonly call: Call;
  readonly shownUrl: string;
  readonly watchdog: Watchdog;
  readonly maxBytes: number;
}

async function readAnswer(
  answer: Dispatcher.ResponseData,
  { call, shownUrl, watchdog, maxBytes }: Reading,
): Promise<Buffer> {
  const found = String(answer.headers['content-type'] ?? 'none');
  const wanted = `application/x-${call.service}-${call.method === 'GET' ? 'advertisement' : 'result'}`;
  if (!found.startsWith(wanted)) {
    await answer.body.dump({ limit: 64 * 1024 });
    throw repoInvalid(
      `Cannot read Yaml repo "${shownUrl}": the answer has another content type than "${wanted}", as of a web page or a login`,
      'Give the URL that `git clone` takes under `repos`.',
    );
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    watchdog.touch();
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw repoInvalid(
        `Cannot read Yaml repo "${shownUrl}": the answer has more than ${maxBytes} bytes`,
        'Use a smaller Yaml repo.',
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

interface Redirecting {
  readonly origin: string;
  readonly suffix: string;
  readonly follows: boolean;
  readonly shownUrl: string;
}

/** The repository's new path where the answer is a redirect that may be followed; undefined where it is no redirect. */
function findRedirect(answer: Dispatcher.ResponseData, about: Redirecting): string | undefined {
  const location = answer.headers.location;
  if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string') return undefined;
  const target = URL.canParse(location, about.origin) ? new URL(location, about.origin) : undefined;
  const path = target && target.pathname + target.search;
  if (about.follows && target?.origin === about.origin && path?.endsWith(about.suffix))
    return path.slice(0, -about.suffix.length);
  throw repoInvalid(
    `Cannot read Yaml repo "${about.shownUrl}": the server redirects to "${showUrl(target?.href ?? '')}", the address itself was wanted`,
    'Write the address that the server redirects to under `repos`.',
  );
}
