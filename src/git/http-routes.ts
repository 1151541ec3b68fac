/** How HTTP requests get to a server: straight or through a proxy, with the certificates that hold for it. */
import type { Readable } from 'node:stream';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { TallymanError } from '../error/tallyman-error.ts';
import { createProxyConnector, createTunnelConnector, type HttpProxy, parseProxy, proxyFault } from './http-proxy.ts';

/** The client's side of TLS. */
export interface TlsSettings {
  /** PEM certificates trusted besides the well-known authorities. */
  readonly ca?: string | undefined;
  /** PEM by which the client shows who it is. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
}

export interface HttpRouteOptions {
  /** Asked for each request, so that changed files work at once. */
  readonly tls?: (() => TlsSettings) | undefined;
  /** Address of the HTTP proxy for a URL, `http://user:password@proxy.example.com:3128`; default none for any. */
  readonly proxy?: ((url: URL) => string | undefined) | undefined;
  /** Longest time until a connection is there, in milliseconds. */
  readonly timeoutMs: number;
  /** What the requests are for: `reach Yaml repo "…"`. */
  readonly task: string;
}

export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** A stream needs its `content-length` among the headers. */
  readonly body?: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
}

export interface HttpRoutes {
  /** Throws RepoUnavailable where a proxy fails, ConfigInvalid where certificates cannot be used, else what undici throws. */
  send(request: HttpRequest): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

/** Straight, to the proxy, through it, and what they replace: more are there only while files change. */
const maxAgents = 6;

export function createHttpRoutes({ tls: readTls, proxy: findProxy, timeoutMs, task }: HttpRouteOptions): HttpRoutes {
  const agents = new Map<string, Agent>();
  let context: { key: string; value: SecureContext } | undefined;
  const keep = (
    parts: readonly unknown[],
    connect: () => buildConnector.BuildOptions | buildConnector.connector,
  ): Agent => {
    const key = JSON.stringify(parts);
    const agent = agents.get(key) ?? new Agent({ connect: connect(), headersTimeout: 0, bodyTimeout: 0 });
    agents.delete(key);
    agents.set(key, agent);
    const [oldest] = agents;
    if (agents.size > maxAgents && oldest !== undefined) {
      agents.delete(oldest[0]);
      oldest[1].close().catch(() => undefined);
    }
    return agent;
  };
  const prepareTls = (): { key: string; options: buildConnector.BuildOptions } => {
    const settings = readTls?.() ?? {};
    if (settings.ca === undefined && settings.clientCertificate === undefined)
      return { key: '', options: { timeout: timeoutMs } };
    const key = JSON.stringify([settings.ca, settings.clientCertificate]);
    // Reading all the well-known roots takes 50 ms: too long for each connection.
    if (context?.key !== key) context = { key, value: createContext(settings, task) };
    return { key, options: { timeout: timeoutMs, secureContext: context.value } };
  };
  /** Proxies are trusted by the well-known roots: a server's private authority says nothing of them. */
  const findForwarder = (proxy: HttpProxy): Agent =>
    keep(['proxy', proxy.origin], () => createProxyConnector(proxy, { timeout: timeoutMs, task }));
  const findAgent = (proxy: HttpProxy | undefined): Agent => {
    const { key, options } = prepareTls();
    if (proxy === undefined) return keep(['straight', key], () => options);
    return keep(['tunnel', proxy, key], () =>
      createTunnelConnector(proxy, {
        dispatcher: () => findForwarder(proxy),
        connectTls: buildConnector(options),
        timeoutMs,
        task,
      }),
    );
  };
  return {
    async send({ url, headers, body = null, ...request }) {
      const address = findProxy?.(url);
      const proxy = address === undefined ? undefined : parseProxy(address);
      const path = `${url.pathname}${url.search}`;
      if (proxy === undefined || url.protocol === 'https:')
        return findAgent(proxy).request({ ...request, body, origin: url.origin, path, headers });
      const answer = await findForwarder(proxy).request({
        ...request,
        body,
        origin: proxy.origin,
        // RFC 9112, section 3.2.2: a proxy is asked for the whole URL.
        path: `${url.origin}${path}`,
        headers: { ...headers, host: url.host, ...proxy.signIn },
      });
      if (answer.statusCode !== 407) return answer;
      await answer.body.dump({ limit: 64 * 1024 });
      throw proxyFault(proxy, task, { status: 407 });
    },
    // Not close(): it would wait for an answer that a stalled server never ends.
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

function createContext({ ca, clientCertificate }: TlsSettings, task: string): SecureContext {
  try {
    return createSecureContext({ ...(ca !== undefined && { ca: [...rootCertificates, ca] }), ...clientCertificate });
  } catch (error) {
    // No cause: what OpenSSL says of a private key stays here.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault';
    const found = `its certificates or key cannot be read (${code})`;
    throw new TallymanError('ConfigInvalid', `Cannot ${task}: ${found}, PEM that fits was wanted`, {
      remedy: 'Correct what caFile or caSecret and clientCertificate name under `repos` in the configuration.',
    });
  }
}
