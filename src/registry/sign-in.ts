/** Sends requests with the sign-in that a registry asks for. */
import { createHash } from 'node:crypto';
import { TallymanError } from '../error/tallyman-error.ts';
import { type Challenge, parseChallenges, selectChallenge } from './challenge.ts';
import { formatBasic } from './credentials/credential.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import { rememberRecent } from './remember-recent.ts';
import type { Send } from './retry.ts';
import type { TokenSource } from './token.ts';

/** A request that concerns one repository. */
export interface RepositoryRequest extends Omit<HttpRequest, 'authorization'> {
  /** Path of the repository: `acme/web` */
  readonly path: string;
}

/** A challenge with the URL that was answered with it. */
interface Demand {
  readonly challenge: Challenge;
  readonly askedUrl: URL;
}

/** Challenges that are remembered; beyond it the oldest is asked for again. */
const maxDemands = 2000;
/** Its anonymous tokens open every public repository, so one serves them all. */
const sharedTokenHost = 'ghcr.io';

/**
 * Wraps `send`: the first request to a host goes out bare, a 401 is answered by its challenge once, and what worked is
 * remembered for the repository, and tried first for the host's others. Where the 401 has no challenge (gcr.io), `/v2/`
 * is asked for one. A 401 that is returned is final.
 */
export function createSignedSend(send: Send, tokens: TokenSource): (request: RepositoryRequest) => Promise<HttpAnswer> {
  const demands = new Map<string, Demand>();
  return async (request) => {
    const keys = [keyOf(request), hostKeyOf(request)] as const;
    const first = await authorizeByMemory(demands, keys, { tokens, request });
    const answer = await send({ ...withoutPath(request), authorization: first });
    if (answer.status !== 401) return answer;
    demands.delete(keys[0]);
    const demand = readDemand(request, answer) ?? (await pingForDemand(send, request));
    const second = demand && (await authorize(tokens, request, { demand, rejected: first }));
    if (demand === undefined || second === undefined || second === first) return answer;
    for (const key of keys) rememberRecent(demands, [key, demand], maxDemands);
    return send({ ...withoutPath(request), authorization: second });
  };
}

/** What worked before; undefined, so that the registry is asked for a challenge, where nothing did or it works no more. */
async function authorizeByMemory(
  demands: Map<string, Demand>,
  keys: readonly string[],
  { tokens, request }: { tokens: TokenSource; request: RepositoryRequest },
): Promise<string | undefined> {
  const { credential } = request.host;
  if (credential !== undefined && 'bearerToken' in credential) return `Bearer ${credential.bearerToken}`;
  const key = keys.find((candidate) => demands.has(candidate));
  const demand = demands.get(key ?? '');
  if (key === undefined || demand === undefined) return undefined;
  try {
    return await authorize(tokens, request, { demand });
  } catch (error) {
    // A realm may have moved, or not know this repository; an unreachable one is no better when asked again at once.
    demands.delete(key);
    if (error instanceof TallymanError && error.code !== 'RegistryUnavailable') return undefined;
    throw error;
  }
}

/** The Authorization header that the demand asks for, another than the rejected one; undefined where there is none to give. */
async function authorize(
  tokens: TokenSource,
  request: RepositoryRequest,
  { demand, rejected }: { demand: Demand; rejected?: string | undefined },
): Promise<string | undefined> {
  const { host, path, signal } = request;
  const { scheme, parameters } = demand.challenge;
  if (scheme === 'basic') return formatBasic(host.credential);
  if (host.credential !== undefined && 'bearerToken' in host.credential) return undefined;
  const realm = parameters.get('realm') ?? '';
  const wanted = { host, path, realm, service: parameters.get('service'), askedUrl: demand.askedUrl };
  const isShared = host.name === sharedTokenHost && host.credential === undefined;
  const about = { rejected: rejected?.replace(/^Bearer /, ''), signal };
  return `Bearer ${await tokens.obtain(isShared ? hostKeyOf(request) : keyOf(request), wanted, about)}`;
}

/** What `/v2/` demands; OCI distribution-spec, "Determining Support". */
async function pingForDemand(send: Send, request: RepositoryRequest): Promise<Demand | undefined> {
  const url = new URL('/v2/', request.host.origin);
  const ping = await send({ ...withoutPath(request), url, accept: '*/*' });
  return ping.status === 401 ? readDemand(request, ping) : undefined;
}

/** Only the registry itself may ask for a sign-in, not a host that it redirects to. */
function readDemand({ host }: RepositoryRequest, answer: HttpAnswer): Demand | undefined {
  if (answer.url.origin !== host.origin) return undefined;
  const challenge = selectChallenge(parseChallenges(answer.headers['www-authenticate'] ?? ''));
  return challenge && { challenge, askedUrl: answer.url };
}

/** One per host, credential and repository, so that a changed credential never meets another's token. */
function keyOf({ host, path }: RepositoryRequest): string {
  return hash([host.origin, host.credential, path]);
}

function hostKeyOf({ host }: RepositoryRequest): string {
  return hash([host.origin, host.credential]);
}

function hash(facts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('base64');
}

function withoutPath({ path: _path, ...request }: RepositoryRequest): HttpRequest {
  return request;
}
