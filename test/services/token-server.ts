/** A token server for Distribution's `auth: token`, as an organisation would run it beside its registry. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { certificateFile, signToken } from './signed-token.ts';

/** Who may do what, and for how long. */
export interface TokenServerOptions {
  /** What the user may do with a repository; default `['pull', 'push']` with each. Nobody else may do anything. */
  readonly grant?: (repository: string) => readonly string[];
  /** Of a token in seconds, as the answer says; default 300. */
  readonly lifeSeconds?: number;
  /** Of a token in seconds, as the registry sees it; default as it says. */
  readonly trueLifeSeconds?: number;
  /** Knows the OAuth2 form alone, and answers GET with 405. */
  readonly postOnly?: boolean;
}

/** One request for a token. */
interface TokenAsk {
  readonly method: string;
  /** `basic` and `anonymous` come by GET. */
  readonly grant: 'basic' | 'anonymous' | 'password' | 'refresh_token' | 'unknown';
  /** `repository:acme/web:pull` */
  readonly scopes: readonly string[];
  readonly clientId: string;
  readonly status: number;
}

export interface TokenServer {
  /** `http://127.0.0.1:<port>/token` */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** The file (PEM) with the certificate of the key that signs. */
  readonly certificateFile: string;
  readonly credential: { readonly username: string; readonly password: string };
  /** Signs in as the same user, by POST. */
  readonly refreshToken: string;
  /** In order; those with a wrong password too. */
  readonly requests: readonly TokenAsk[];
  close(): Promise<void>;
}

const service = 'test registry';
const issuer = 'tallyman test';
const user = { username: 'tally', password: 'correct horse' };
const refreshToken = 'a refresh token of tally';
/** Distribution 2.8 takes a token for that long after its end (registry/auth/token, `Leeway`). */
const leewaySeconds = 60;

/** Starts the server on a free port of 127.0.0.1; for `startDockerRegistry({ tokenAuth })`. */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const requests: TokenAsk[] = [];
  const server = createServer((request, response) => {
    answer(request, response, options).then(
      (asked) => requests.push(asked),
      (error: Error) => response.destroy(error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return {
    ...{ realm, service, issuer, certificateFile, credential: user, refreshToken, requests },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** What a request asks for, from its query (GET) or its form (POST), which differ in how several scopes are written. */
interface Ask extends Pick<TokenAsk, 'method' | 'grant' | 'scopes' | 'clientId'> {
  readonly service: string;
  readonly isUser: boolean;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: TokenServerOptions,
): Promise<TokenAsk> {
  const { service: wanted, isUser, ...ask } = await readAsk(request);
  const isKnown = ask.grant === 'anonymous' || isUser;
  const isMeant = wanted === service && ask.grant !== 'unknown';
  const status = options.postOnly === true && ask.method !== 'POST' ? 405 : !isMeant ? 400 : isKnown ? 200 : 401;
  const body =
    status === 200 ? planAnswer(ask, isUser, options) : { errors: [{ code: 'UNAUTHORIZED', message: 'no' }] };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return { ...ask, status };
}

async function readAsk(request: IncomingMessage): Promise<Ask> {
  const { method = '', headers } = request;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
  const form = method === 'POST' ? new URLSearchParams(Buffer.concat(chunks).toString('utf8')) : query;
  const get = (name: string): string => form.get(name) ?? '';
  const about = { method, service: get('service'), clientId: get('client_id') };
  if (method !== 'POST') {
    const basic = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
    const grant = headers.authorization === undefined ? 'anonymous' : 'basic';
    return { ...about, grant, scopes: form.getAll('scope'), isUser: headers.authorization === basic };
  }
  const scopes = get('scope')
    .split(' ')
    .filter((scope) => scope !== '');
  const byPassword = get('username') === user.username && get('password') === user.password;
  switch (get('grant_type')) {
    case 'password':
      return { ...about, scopes, grant: 'password', isUser: byPassword };
    case 'refresh_token':
      return { ...about, scopes, grant: 'refresh_token', isUser: get('refresh_token') === refreshToken };
    default:
      return { ...about, scopes, grant: 'unknown', isUser: false };
  }
}

/** Distribution token specification, "Token Response Fields", and its OAuth2 form for POST. */
function planAnswer(ask: Pick<Ask, 'method' | 'scopes'>, isUser: boolean, options: TokenServerOptions): object {
  const nowMs = Date.now();
  const life = options.lifeSeconds ?? 300;
  const access = ask.scopes.map((scope) => planAccess(scope, isUser, options));
  const token = signToken({
    iss: issuer,
    sub: isUser ? user.username : '',
    aud: service,
    iat: Math.floor(nowMs / 1000),
    nbf: Math.floor(nowMs / 1000) - leewaySeconds,
    exp: Math.floor(nowMs / 1000) + (options.trueLifeSeconds ?? life) - leewaySeconds,
    jti: randomUUID(),
    access,
  });
  const about = { expires_in: life, issued_at: new Date(nowMs).toISOString() };
  return ask.method === 'POST' ? { access_token: token, scope: ask.scopes.join(' '), ...about } : { token, ...about };
}

/** Who may do less than is asked for gets a token for that: it is the registry that refuses. */
function planAccess(scope: string, isUser: boolean, options: TokenServerOptions): object {
  const [type = '', ...rest] = scope.split(':');
  const asked = (rest.pop() ?? '').split(',');
  const name = rest.join(':');
  const granted = isUser ? (options.grant?.(name) ?? ['pull', 'push']) : [];
  return { type, name, actions: asked.filter((action) => granted.includes(action)) };
}
