/** An HTTP server on 127.0.0.1 that takes and gives JSON, for fakes of APIs. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface JsonRequest {
  readonly method: string;
  /** As sent, still escaped. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined where there is none. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

export interface JsonResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is. */
  readonly body?: unknown;
}

export interface JsonServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `GET /repos/acme/deploy/pulls?state=open` */
  readonly requests: string[];
  /** Answers the next requests, one each, instead of the handler; `cut` ends the connection. */
  readonly next: (JsonResponse | 'cut')[];
  close(): Promise<void>;
}

export async function startJsonServer(handle: (request: JsonRequest) => JsonResponse): Promise<JsonServer> {
  const requests: string[] = [];
  const next: (JsonResponse | 'cut')[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://127.0.0.1');
      const text = Buffer.concat(chunks).toString();
      requests.push(`${request.method} ${request.url}`);
      const given = next.shift();
      if (given === 'cut') return void request.socket.destroy();
      const { method = 'GET', headers } = request;
      const body = text === '' ? undefined : JSON.parse(text);
      const answer = given ?? handle({ method, path: url.pathname, query: url.searchParams, headers, body });
      const isText = typeof answer.body === 'string';
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.body === undefined ? '' : isText ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    next,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A page of the items, and the Link header that GitHub and GitLab give with it. */
export function takePage<Item>(
  items: readonly Item[],
  query: URLSearchParams,
  url: string,
): { items: readonly Item[]; headers: Readonly<Record<string, string>> } {
  const size = Math.min(100, Number(query.get('per_page') ?? 20));
  const page = Number(query.get('page') ?? 1);
  const link = (number: number, relation: string): string => {
    const parameters = new URLSearchParams(query);
    parameters.set('page', String(number));
    return `<${url}?${parameters}>; rel="${relation}"`;
  };
  const links = [
    ...(page > 1 ? [link(page - 1, 'prev')] : []),
    ...(page * size < items.length ? [link(page + 1, 'next')] : []),
    link(1, 'first'),
  ];
  return { items: items.slice((page - 1) * size, page * size), headers: { link: links.join(', ') } };
}
