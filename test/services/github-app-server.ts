/** GitHub's exchange of an App's JWT for a token, as its API documents it: checks signature and claims, and gives tokens. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GithubAppServer {
  /** `http://127.0.0.1:<port>/api/v3` */
  readonly apiUrl: string;
  /** The App's key in PEM (PKCS #1), as GitHub gives it. */
  readonly privateKey: string;
  /** Tokens given so far. */
  readonly tokens: readonly string[];
  /** In order, with the status of the answer. */
  readonly requests: readonly { readonly line: string; readonly status: number }[];
  /** Answers with this instead. */
  answer: { readonly status: number; readonly body: string } | undefined;
  close(): Promise<void>;
}

interface App {
  readonly appId: string;
  readonly installationId: string;
  /** Of a token. */
  readonly lifeSeconds?: number;
  /** The server's clock; default the machine's. */
  readonly nowMs?: () => number;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startGithubAppServer(app: App): Promise<GithubAppServer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = String(publicKey.export({ type: 'spki', format: 'pem' }));
  const requests: { line: string; status: number }[] = [];
  const tokens: string[] = [];
  const server = createServer((request, response) => {
    const found = { ...(handle.answer ?? findAnswer(request, app, pem)) };
    requests.push({ line: `${request.method} ${request.url}`, status: found.status });
    if (found.status === 201 && handle.answer === undefined) {
      tokens.push(`ghs_${tokens.length}`);
      const expires_at = new Date((app.nowMs ?? Date.now)() + (app.lifeSeconds ?? 3600) * 1000)
        .toISOString()
        .replace(/\.\d+/, '');
      found.body = JSON.stringify({ token: tokens.at(-1), expires_at, permissions: { contents: 'write' } });
    }
    response.writeHead(found.status, { 'content-type': 'application/json' }).end(found.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const handle: GithubAppServer = {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v3`,
    privateKey: String(privateKey.export({ type: 'pkcs1', format: 'pem' })),
    tokens,
    requests,
    answer: undefined,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return handle;
}

function findAnswer(request: IncomingMessage, app: App, publicKey: string): { status: number; body: string } {
  const refuse = (status: number, message: string) => ({ status, body: JSON.stringify({ message }) });
  const fault = findFault(request.headers.authorization, app, publicKey);
  if (fault !== undefined) return refuse(401, fault);
  if (request.method !== 'POST') return refuse(404, 'Not Found');
  if (request.url !== `/api/v3/app/installations/${app.installationId}/access_tokens`) return refuse(404, 'Not Found');
  return { status: 201, body: '' };
}

/** GitHub's own words. Source: GitHub's "Generating a JSON Web Token (JWT) for a GitHub App". */
function findFault(
  authorization: string | undefined,
  { appId, nowMs = Date.now }: App,
  publicKey: string,
): string | undefined {
  const [, head = '', body = '', signature = ''] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization ?? '') ?? [];
  const signed = Buffer.from(signature, 'base64url');
  if (!verify('sha256', Buffer.from(`${head}.${body}`), createPublicKey(publicKey), signed))
    return 'A JSON web token could not be decoded';
  const [{ alg, typ }, { iat, exp, iss }] = [head, body].map((part) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()),
  );
  const now = Math.floor(nowMs() / 1000);
  if (alg !== 'RS256' || typ !== 'JWT') return 'A JSON web token could not be decoded';
  if (iss !== appId) return "'Issuer' claim ('iss') must be an Integer";
  if (typeof iat !== 'number' || iat > now - 50)
    return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
  if (typeof exp !== 'number' || exp <= now || exp > now + 600)
    return "'Expiration time' claim ('exp') is too far in the future";
  return undefined;
}
