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
/** Its anonymous tokens open every public repository: one that is held is tried for the others. */
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
    const first = await signInByMemory(demands, keys, { tokens, request });
    const answer = await send({ ...withoutPath(request), authorization: first?.authorization });
    if (answer.status !== 401) return answer;
    demands.delete(keys[0]);
    const demand = readDemand(request, answer) ?? (await pingForDemand(send, request));
    if (demand === undefined || isMet(demand, first)) return answer;
    const second = await signIn(tokens, request, { demand, rejected: first?.authorization });
    if (second === undefined || second.authorization === first?.authorization) return answer;
    for (const key of keys) rememberRecent(demands, [key, demand], maxDemands);
    return send({ ...withoutPath(request), authorization: second.authorization });
  };
}

/** An Authorization header, made for a demand. */
interface SignIn {
  readonly authorization: string;
  readonly demand: Demand | undefined;
  /** A moment ago, not for an earlier request. */
  readonly isNew: boolean;
}

/** Whether the demand has just been met, in vain: asking for another token would give the same again. */
function isMet({ challenge }: Demand, made: SignIn | undefined): boolean {
  const same = (name: string): boolean =>
    challenge.parameters.get(name) === made?.demand?.challenge.parameters.get(name);
  return made?.isNew === true && same('realm') && same('service');
}

/** By what worked before; undefined, so that the registry is asked for a challenge, where nothing did or it works no more. */
async function signInByMemory(
  demands: Map<string, Demand>,
  keys: readonly string[],
  { tokens, request }: { tokens: TokenSource; request: RepositoryRequest },
): Promise<SignIn | undefined> {
  const { credential } = request.host;
  if (credential !== undefined && 'bearerToken' in credential)
    return { authorization: `Bearer ${credential.bearerToken}`, demand: undefined, isNew: false };
  const key = keys.find((candidate) => demands.has(candidate));
  const demand = demands.get(key ?? '');
  if (key === undefined || demand === undefined) return undefined;
  try {
    return await signIn(tokens, request, { demand });
  } catch (error) {
    // A realm may have moved, or not know this repository; an unreachable one is no better when asked again at once.
    demands.delete(key);
    if (error instanceof TallymanError && error.code !== 'RegistryUnavailable') return undefined;
    throw error;
  }
}

/** What the demand asks for, another than the rejected header; undefined where there is nothing to give. */
async function signIn(
  tokens: TokenSource,
  request: RepositoryRequest,
  { demand, rejected }: { demand: Demand; rejected?: string | undefined },
): Promise<SignIn | undefined> {
  const { host, path, signal } = request;
  const { scheme, parameters } = demand.challenge;
  if (scheme === 'basic') {
    const authorization = formatBasic(host.credential);
    return authorization === undefined ? undefined : { authorization, demand, isNew: false };
  }
  if (host.credential !== undefined && 'bearerToken' in host.credential) return undefined;
  const realm = parameters.get('realm') ?? '';
  const wanted = { host, path, realm, service: parameters.get('service'), askedUrl: demand.askedUrl };
  const isShared = host.name === sharedTokenHost && host.credential === undefined;
  const about = { rejected: rejected?.replace(/^Bearer /, ''), signal };
  const own = keyOf(request);
  const { text, isNew } = await tokens.obtain(isShared ? [own, hostKeyOf(request)] : [own], wanted, about);
  return { authorization: `Bearer ${text}`, demand, isNew };
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
