/** Goes through an HTTP proxy: CONNECT for what is encrypted (RFC 9110, section 9.3.6). */
import { Socket } from 'node:net';
import { buildConnector, type Dispatcher } from 'undici';
import { TallymanError } from '../error/tallyman-error.ts';
import { ProxyFault } from './failure.ts';

/** A proxy with its sign-in, which goes to it alone. */
export interface HttpProxy {
  /** `http://proxy.example.com:3128` */
  readonly origin: string;
  /** `proxy.example.com:3128`, for messages. */
  readonly host: string;
  /** The Proxy-Authorization header. */
  readonly authorization: string | undefined;
  /** What must not come back in a message. */
  readonly secrets: readonly string[];
}

/** The proxy at an `http://` or `https://` address, which may carry user and password; throws ConfigInvalid. */
export function parseProxy(text: string): HttpProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    const found = 'its address is none of http:// or https://';
    throw new TallymanError('ConfigInvalid', `Cannot use the HTTP proxy: ${found}, one with a host was wanted`);
  }
  const { origin, host, username, password } = url;
  if (username === '' && password === '') return { origin, host, authorization: undefined, secrets: [] };
  const plain = { username: decode(username), password: decode(password) };
  const basic = Buffer.from(`${plain.username}:${plain.password}`).toString('base64');
  return { origin, host, authorization: `Basic ${basic}`, secrets: [plain.password, password, basic] };
}

/** A per cent sign that starts no escape stands for itself, as in curl. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString());
}

/** Connects to the proxy itself; tells failures there from those of the host behind it. */
export function createProxyConnector(proxy: HttpProxy, options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(new ProxyFault(proxy.host, { cause: error }), null);
    });
}

interface TunnelOptions {
  /** Sends to the proxy. */
  readonly findDispatcher: () => Dispatcher;
  /** Speaks TLS with the host at the tunnel's other end. */
  readonly connectTls: buildConnector.connector;
  readonly timeoutMs: number;
}

/** Connects to HTTPS hosts through the proxy. undici's own ProxyAgent does so too, but tells no status of a refusal. */
export function createTunnelConnector(
  proxy: HttpProxy,
  { findDispatcher, connectTls, timeoutMs }: TunnelOptions,
): buildConnector.connector {
  async function open(authority: string): Promise<Socket> {
    const { statusCode, socket } = await findDispatcher()
      .connect({
        origin: proxy.origin,
        path: authority,
        headers: { host: authority, ...formatSignIn(proxy) },
        signal: AbortSignal.timeout(timeoutMs),
      })
      .catch((cause) => {
        throw cause instanceof ProxyFault ? cause : new ProxyFault(proxy.host, { cause });
      });
    if (statusCode >= 200 && statusCode < 300 && socket instanceof Socket) return socket;
    socket.on('error', () => {}).destroy();
    throw new ProxyFault(proxy.host, { status: statusCode });
  }

  return (target, callback) => {
    // The host of a URL has no port where that is the usual one.
    const { host } = new URL(`https://${target.host}`);
    open(/:\d+$/.test(host) ? host : `${host}:443`).then(
      (httpSocket) => connectTls({ ...target, httpSocket }, callback),
      (error) => callback(error, null),
    );
  };
}

/** The header by which the client signs in to the proxy. */
export function formatSignIn({ authorization }: HttpProxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization };
}
