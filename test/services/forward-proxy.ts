/** A small forward proxy for tests: tunnels by CONNECT, and plain HTTP asked for by whole URL. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ForwardProxyOptions {
  /** Who may use it; default everybody. */
  readonly user?: { readonly username: string; readonly password: string };
  /** Answers everything with this status instead of going there. */
  readonly refuse?: number;
  /** Speaks TLS itself. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Where to go instead, as `host:port`; default where the client says. */
  readonly resolve?: (authority: string) => string;
}

export interface ForwardProxy {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** What it was asked for, in order: `CONNECT 127.0.0.1:5000` or `GET http://127.0.0.1:5000/v2/` */
  readonly requests: readonly string[];
  /** The headers of each, in the same order. */
  readonly headers: readonly IncomingMessage['headers'][];
  close(): Promise<void>;
}

/** Starts the proxy on a free port of 127.0.0.1. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const requests: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const sockets = new Set<Duplex>();
  const remember = (request: IncomingMessage): void => {
    requests.push(`${request.method} ${request.url}`);
    headers.push(request.headers);
  };
  const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
  server.on('connection', (socket: Duplex) => sockets.add(socket));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    remember(request);
    const refusal = findRefusal(request, options);
    if (refusal === undefined) forward(request, response, options);
    else response.writeHead(refusal, { 'proxy-authenticate': 'Basic realm="proxy"' }).end('refused by the proxy');
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    remember(request);
    const refusal = findRefusal(request, options);
    if (refusal === undefined) sockets.add(openTunnel(socket, request.url ?? '', options));
    else
      socket.end(`HTTP/1.1 ${refusal} Refused\r\nproxy-authenticate: Basic realm="proxy"\r\ncontent-length: 0\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    requests,
    headers,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function findRefusal({ headers }: IncomingMessage, { user, refuse }: ForwardProxyOptions): number | undefined {
  if (refuse !== undefined || user === undefined) return refuse;
  const basic = Buffer.from(`${user.username}:${user.password}`).toString('base64');
  return headers['proxy-authorization'] === `Basic ${basic}` ? undefined : 407;
}

function forward(request: IncomingMessage, response: ServerResponse, { resolve }: ForwardProxyOptions): void {
  const { 'proxy-authorization': _user, ...headers } = request.headers;
  const url = new URL(request.url ?? '');
  const target = new URL(`http://${resolve?.(url.host) ?? url.host}`);
  const path = `${url.pathname}${url.search}`;
  const onward = sendRequest({ host: target.hostname, port: target.port, path, method: request.method, headers });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.writeHead(502).end());
  request.pipe(onward);
}

function openTunnel(socket: Duplex, authority: string, { resolve }: ForwardProxyOptions): Duplex {
  const target = new URL(`http://${resolve?.(authority) ?? authority}`);
  const onward = connect(Number(target.port || 80), target.hostname, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(onward).pipe(socket);
  });
  onward.on('error', () => socket.destroy());
  socket.on('error', () => onward.destroy());
  return onward;
}
