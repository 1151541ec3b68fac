/**
 * Goes through an HTTP proxy (RFC 9110, section 9.3.6). Much as the registry client does, which is in another folder: what
 * is said where it fails differs, and a fault of one must not become the other's.
 */
import { Socket } from 'node:net';
import { buildConnector, type Dispatcher } from 'undici';
import { findCode } from '../error/find-code.ts';
import { TallymanError } from '../error/tallyman-error.ts';

/** A proxy with its sign-in, which goes to it alone. */
export interface HttpProxy {
  /** `http://proxy.example.com:3128` */
  readonly origin: string;
  /** `proxy.example.com:3128`, for messages. */
  readonly host: string;
  /** The header by which the client signs in to it. */
  readonly signIn: Readonly<Record<string, string>>;
}

/** The proxy at an `http://` or `https://` address, which may carry user and password; throws ConfigInvalid. */
export function parseProxy(text: string): HttpProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    const found = 'its address is none of http:// or https://';
    throw new TallymanError('ConfigInvalid', `Cannot use the HTTP proxy: ${found}, one with a host was wanted`);
  }
  const { origin, host, username, password } = url;
  const user = [username, password].map(decode).join(':');
  const basic = `Basic ${Buffer.from(user).toString('base64')}`;
  return { origin, host, signIn: user === ':' ? {} : { 'proxy-authorization': basic } };
}

/** A per cent sign that starts no escape stands for itself, as in curl. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString());
}

interface Tunnelling {
  /** Sends to the proxy. */
  readonly dispatcher: () => Dispatcher;
  /** Speaks TLS with the host at the tunnel's other end. */
  readonly connectTls: buildConnector.connector;
  readonly timeoutMs: number;
  /** As `proxyFault` has it. */
  readonly task: string;
}

/** Connects to the proxy itself; tells failures there from those of the host behind it. */
export function createProxyConnector(
  proxy: HttpProxy,
  { task, ...options }: buildConnector.BuildOptions & { task: string },
): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(proxyFault(proxy, task, { cause: error }), null);
    });
}

/** Connects to HTTPS hosts through the proxy. undici's own ProxyAgent does so too, but tells no status of a refusal. */
export function createTunnelConnector(
  proxy: HttpProxy,
  { dispatcher, connectTls, timeoutMs, task }: Tunnelling,
): buildConnector.connector {
  async function open(authority: string): Promise<Socket> {
    const { statusCode, socket } = await dispatcher()
      .connect({
        origin: proxy.origin,
        path: authority,
        headers: { host: authority, ...proxy.signIn },
        signal: AbortSignal.timeout(timeoutMs),
      })
      .catch((cause) => {
        throw cause instanceof TallymanError ? cause : proxyFault(proxy, task, { cause });
      });
    if (statusCode >= 200 && statusCode < 300 && socket instanceof Socket) return socket;
    socket.on('error', () => {}).destroy();
    throw proxyFault(proxy, task, { status: statusCode });
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

/**
 * The failure of a proxy that is not reached or lets nothing through; `task`: `reach Yaml repo "…"`. Its own words stay
 * out of it: it may repeat the password that it was sent.
 */
export function proxyFault(
  { host }: HttpProxy,
  task: string,
  { status, cause }: { status?: number; cause?: unknown },
): TallymanError {
  const [found, remedy] =
    status === 407
      ? [
          `the proxy "${host}" wants another sign-in (407)`,
          'Put the user and password that the proxy wants into HTTPS_PROXY or HTTP_PROXY.',
        ]
      : [
          status === undefined
            ? `the proxy "${host}" is not reached (${findCode(cause) ?? 'no reason given'})`
            : `the proxy "${host}" gives no way there (${status})`,
          'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and that the proxy lets this host through.',
        ];
  return new TallymanError('RepoUnavailable', `Cannot ${task}: ${found}, an answer was wanted`, { remedy, cause });
}
