/** Signs in as an installation of a GitHub App. Source: GitHub's "Authenticating as a GitHub App installation". */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { findCode } from '../error/find-code.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import { quoteServer, repoUnavailable } from './errors.ts';
import { createHttpRoutes, type HttpRouteOptions } from './http-routes.ts';
import type { Credential } from './http-transport.ts';
import { agent } from './transport.ts';

/** An App at one of its installations. */
export interface GithubAppIdentity {
  /** App ID or client ID. */
  readonly appId: string;
  readonly installationId: string;
  /** The App's key in PEM. */
  readonly privateKey: string;
  /** Name of the key's file or Secret, for messages. */
  readonly keyName: string;
  /** Whether the IDs may be told. */
  readonly isPublic: boolean;
}

export interface GithubAppOptions extends Pick<HttpRouteOptions, 'proxy' | 'tls'> {
  /** Asked for each token. */
  readonly readApp: () => GithubAppIdentity;
  /** `https://api.github.com`, or `https://host/api/v3` of GitHub Enterprise Server. */
  readonly apiUrl: string;
  /** Longest time for one token, in milliseconds. */
  readonly timeoutMs: number;
  readonly nowMs: () => number;
}

export interface GithubApp {
  /** A token that holds for some minutes more; throws RepoUnavailable, RepoDenied, RepoInvalid, ConfigInvalid or SecretUnavailable. */
  read(options: { signal: AbortSignal }): Promise<Credential>;
  /** Forgets a token that was refused; false where it was too young for another to be better. */
  refuse(credential: Credential): boolean;
}

interface Token {
  readonly credential: Credential;
  readonly startMs: number;
  readonly endMs: number;
}

const username = 'x-access-token';
/** A token is not used in its last minutes: a long push shall end within it. They live for an hour. */
const spareMs = 5 * 60_000;
/** GitHub's clock may be behind ours, and takes no token that begins later. */
const backSeconds = 60;
/** At most ten minutes are allowed. */
const lifeSeconds = 9 * 60;
/** A token that is refused sooner than this after it was made was not revoked: asking again and again would not help. */
const youngMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

/** Callers at the same time share one exchange. */
export function createGithubApp(options: GithubAppOptions): GithubApp {
  let token: Token | undefined;
  let pending: Promise<Token> | undefined;
  const renew = async (): Promise<Token> => {
    try {
      token = await fetchToken(options);
      return token;
    } finally {
      pending = undefined;
    }
  };
  return {
    async read({ signal }) {
      if (token !== undefined && options.nowMs() < token.endMs - spareMs) return token.credential;
      pending ??= renew();
      return (await untilAborted(pending, signal)).credential;
    },
    refuse(credential) {
      if (token?.credential !== credential) return true;
      const isYoung = options.nowMs() - token.startMs < youngMs;
      token = undefined;
      return !isYoung;
    },
  };
}

async function fetchToken(options: GithubAppOptions): Promise<Token> {
  const { apiUrl, timeoutMs, nowMs } = options;
  const identity = options.readApp();
  const { appId, installationId, isPublic, keyName } = identity;
  const who = isPublic
    ? `GitHub App "${appId}" for installation "${installationId}"`
    : `the GitHub App in "${keyName}"`;
  const task = `get a token of ${who}`;
  const startMs = nowMs();
  const jwt = formatJwt(parseKey(identity), { iss: appId, nowSeconds: Math.floor(startMs / 1000) });
  const routes = createHttpRoutes({ ...options, task });
  try {
    const answer = await routes.send({
      url: new URL(`${apiUrl.replace(/\/+$/, '')}/app/installations/${installationId}/access_tokens`),
      method: 'POST',
      headers: {
        authorization: `Bearer ${jwt}`,
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        'user-agent': agent,
        'content-length': '0',
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await readBody(answer.body);
    if (answer.statusCode !== 201) throw fromStatus(answer.statusCode, text, task);
    return parseToken(text, startMs, task);
  } catch (error) {
    if (error instanceof TallymanError) throw error;
    const code =
      error instanceof Error && error.name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : findCode(error);
    throw repoUnavailable(
      `Cannot ${task}: the request failed (${code ?? 'no reason given'}), an answer was wanted`,
      error,
    );
  } finally {
    await routes.close();
  }
}

function parseKey({ privateKey, keyName }: GithubAppIdentity): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(privateKey);
  } catch {
    // No cause: it may repeat parts of the key.
  }
  if (key?.asymmetricKeyType === 'rsa') return key;
  const found = 'it holds no RSA key';
  throw new TallymanError(
    'ConfigInvalid',
    `Cannot use GitHub App key "${keyName}": ${found}, the App's own was wanted`,
    {
      remedy: 'Put the .pem file that GitHub made ("Generate a private key") there.',
    },
  );
}

/** RFC 7519 and RFC 7518, section 3.3. */
function formatJwt(key: KeyObject, { iss, nowSeconds }: { iss: string; nowSeconds: number }): string {
  const claims = { iat: nowSeconds - backSeconds, exp: nowSeconds + lifeSeconds, iss };
  const text = [{ alg: 'RS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

async function readBody(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseToken(text: string, startMs: number, task: string): Token {
  const { token, expires_at: end } = parseObject(text);
  const endMs = typeof end === 'string' ? Date.parse(end) : Number.NaN;
  // What else came is no use as a password, and a header cannot hold it.
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token) || Number.isNaN(endMs))
    throw repoUnavailable(`Cannot ${task}: the answer holds no token, one with its end was wanted`);
  return { credential: { username, password: token }, startMs, endMs };
}

function fromStatus(status: number, text: string, task: string): TallymanError {
  const { message } = parseObject(text);
  const said = typeof message === 'string' ? `, GitHub said "${quoteServer(message)}"` : '';
  const found = `the answer was HTTP ${status}${said}`;
  const isLimit = status === 429 || (status === 403 && /rate limit|abuse/i.test(said));
  if (isLimit || status === 408 || status >= 500)
    return repoUnavailable(`Cannot ${task}: ${found}, a token was wanted`);
  const remedy =
    status === 401
      ? 'Check appId and the private key of githubApp under `repos`, and that the clock of this machine is right.'
      : 'Check installationId and apiUrl of githubApp under `repos`, and that the App is installed and not suspended.';
  return new TallymanError('RepoDenied', `Cannot ${task}: ${found}, a token was wanted`, { remedy });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
