/** Speaks to the token server that a challenge names: by GET with a password, by POST with an identity token. */
import { TallymanError } from '../error/tallyman-error.ts';
import { describeRefused, formatStatus } from './answer-error.ts';
import { type Credential, formatBasic } from './credentials/credential.ts';
import { startDeadline } from './deadline.ts';
import { findHopFault } from './hop.ts';
import type { RegistryHost } from './host.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import type { Limits } from './limits.ts';
import { findNextUrl } from './next-url.ts';
import { quote } from './quote.ts';
import { isTransientStatus, type Send } from './retry.ts';

/** What a token is for, and who gives it. */
export interface TokenRequest {
  readonly host: RegistryHost;
  /** Path of the repository: `acme/web` */
  readonly path: string;
  /** The realm as the challenge has it; may be relative to `askedUrl`. */
  readonly realm: string;
  readonly service: string | undefined;
  /** The URL that was answered with the challenge. */
  readonly askedUrl: URL;
}

export interface TokenServerOptions {
  readonly send: Send;
  readonly limits: Limits;
}

/** The part of a request that differs from flow to flow. */
type Form = Pick<HttpRequest, 'method' | 'url' | 'authorization' | 'headers' | 'body'>;

/** Statuses by which a token server says that it does not know this form of asking. */
const unknownFormStatuses: readonly number[] = [404, 405];

/**
 * What `parse` reads in the token server's answer. Throws RegistryDenied, RegistryUnavailable, RegistryInvalid. The
 * credential's usual form goes first, the other one where the server does not know that.
 * Source: Distribution's token specification, "Requesting a Token", and its OAuth2 form.
 */
export async function fetchTokenAnswer<T>(
  request: TokenRequest,
  { send, limits }: TokenServerOptions,
  parse: (body: Buffer) => T | undefined,
): Promise<T> {
  const { host, path } = request;
  const task = `get a pull token for "${host.name}/${path}"`;
  const realm = resolveRealm(request, task);
  // Its own clock and no caller's signal: the one who gives up must not take the token from the others.
  const deadline = startDeadline(new AbortController().signal, limits.attemptMs, () => {
    const found = `"${quote(realm.host, 80)}" gave none within ${limits.attemptMs / 1000} s`;
    return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, a token was wanted`);
  });
  const common = {
    host,
    accept: 'application/json',
    maxBodyBytes: limits.maxTokenBytes,
    task,
    signal: deadline.signal,
  };
  try {
    const [first, second] = planForms(realm, request);
    let answer = await send({ ...common, ...first });
    if (second !== undefined && unknownFormStatuses.includes(answer.status)) {
      answer = await send({ ...common, ...second });
    }
    if (answer.status !== 200) throw toTokenError(answer, { task, credential: host.credential });
    const token = parse(answer.body);
    if (token !== undefined) return token;
    const found = `the answer of the token server "${quote(realm.host, 80)}" holds no token`;
    throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, a JSON object with one was wanted`);
  } finally {
    deadline.stop();
  }
}

function resolveRealm({ realm, askedUrl, host }: TokenRequest, task: string): URL {
  const url = findNextUrl(realm, askedUrl);
  const fault = url === undefined ? 'it is no URL' : findHopFault(askedUrl, url, host.settings.trustedOrigins);
  if (url !== undefined && fault === undefined) return url;
  const found = `the realm of the challenge is not followed: ${fault}`;
  throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, the address of a token server was wanted`, {
    remedy: `List the address of the token server as trustedOrigins of "${host.name}" under \`registries\` in the configuration, if it is yours.`,
  });
}

/** The forms that the credential allows, the usual one first. */
function planForms(realm: URL, request: TokenRequest): readonly [Form, Form?] {
  const { credential } = request.host;
  if (credential === undefined || 'bearerToken' in credential) return [planGet(realm, request)];
  if ('identityToken' in credential) {
    const grant = { grant_type: 'refresh_token', refresh_token: credential.identityToken };
    return [planPost(realm, request, grant), planGet(realm, request)];
  }
  const { username, password } = credential;
  return [planGet(realm, request), planPost(realm, request, { grant_type: 'password', username, password })];
}

function planGet(realm: URL, { host, service, path }: TokenRequest): Form {
  const url = new URL(realm);
  if (service !== undefined && service !== '') url.searchParams.set('service', service);
  // Some registries read the first scope only.
  url.searchParams.delete('scope');
  url.searchParams.set('scope', formatScope(path));
  url.searchParams.set('client_id', clientId);
  const account = accountOf(host.credential);
  if (account !== undefined) url.searchParams.set('account', account);
  return { url, authorization: formatBasic(host.credential) };
}

/** No `access_type=offline`: some servers break on it, and nothing is to be kept. */
function planPost(realm: URL, { service, path }: TokenRequest, grant: Readonly<Record<string, string>>): Form {
  const fields = { ...grant, service: service ?? '', client_id: clientId, scope: formatScope(path) };
  return {
    method: 'POST',
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  };
}

const clientId = 'tallyman';

function formatScope(path: string): string {
  return `repository:${path}:pull`;
}

function accountOf(credential: Credential | undefined): string | undefined {
  return credential !== undefined && 'username' in credential ? credential.username : undefined;
}

function toTokenError(
  answer: HttpAnswer,
  { task, credential }: { task: string; credential: Credential | undefined },
): TallymanError {
  const { status, url } = answer;
  const found = `the token server "${quote(url.host, 80)}" answered ${formatStatus(answer)}`;
  const denied = status === 401 || status === 403;
  const unavailable = isTransientStatus(status) || status >= 500;
  const code = denied ? 'RegistryDenied' : unavailable ? 'RegistryUnavailable' : 'RegistryInvalid';
  return new TallymanError(code, `Cannot ${task}: ${found}, a token was wanted`, {
    remedy: denied ? describeRefused(credential) : undefined,
  });
}
