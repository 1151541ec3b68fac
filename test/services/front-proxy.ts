/** What stands before a real server in a test: it notes each request, may change its URL, and may add TLS. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FrontProxyOptions {
  /** The server behind it: `http://127.0.0.1:3000` */
  readonly url: string;
  /** Its certificate and key in PEM; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The path and query to ask for instead. */
  readonly rewrite?: (url: string) => string;
}

export interface FrontProxy {
  /** `127.0.0.1:<port>`, as written in an image reference. */
  readonly host: string;
  /** As they came in, in order: `GET /v2/acme/web/tags/list?n=1000`, and the scheme of its Authorization header. */
  readonly requests: readonly { readonly line: string; readonly scheme: string | undefined }[];
  close(): Promise<void>;
}

/** Starts the proxy on a free port of 127.0.0.1. It passes the Host header on, and tells nothing of itself. */
export async function startFrontProxy(options: FrontProxyOptions): Promise<FrontProxy> {
  const requests: FrontProxy['requests'][number][] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url = '/', headers } = request;
    requests.push({ line: `${method} ${url}`, scheme: headers.authorization?.split(' ')[0] });
    const path = options.rewrite?.(url) ?? url;
    const behind = sendRequest(new URL(path, options.url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    behind.on('error', (error) => response.destroy(error));
    request.pipe(behind);
  };
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
