/** Sends requests with the sign-in that a registry asks for. */
import { createHash } from 'node:crypto';
import { type Challenge, parseChallenges, selectChallenge } from './challenge.ts';
import type { RegistryHost } from './host.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import type { Send } from './retry.ts';
import { formatBasic, type TokenSource } from './token.ts';

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

/** Repositories whose challenge is remembered; beyond it the oldest is asked for again. */
const maxDemands = 2000;

/**
 * Wraps `send`: the first request goes out bare, a 401 is answered by its challenge once, and what worked is remembered
 * for the repository. Where the 401 has no challenge (gcr.io), `/v2/` is asked for one. A 401 that is returned is final.
 */
export function createSignedSend(send: Send, tokens: TokenSource): (request: RepositoryRequest) => Promise<HttpAnswer> {
  const demands = new Map<string, Demand>();
  return async (request) => {
    const key = keyOf(request.host, request.path);
    const known = demands.get(key);
    // A realm may move: after a failure the next call asks for the challenge anew.
    const forget = (error: unknown): never => {
      demands.delete(key);
      throw error;
    };
    const first = known && (await authorize(tokens, request, { demand: known }).catch(forget));
    const answer = await send({ ...withoutPath(request), authorization: first });
    if (answer.status !== 401) return answer;
    demands.delete(key);
    const demand = readDemand(request, answer) ?? (await pingForDemand(send, request));
    const second = demand && (await authorize(tokens, request, { demand, rejected: first }));
    if (demand === undefined || second === undefined || second === first) return answer;
    demands.set(key, demand);
    const oldest = demands.keys().next();
    if (demands.size > maxDemands && oldest.done === false) demands.delete(oldest.value);
    return send({ ...withoutPath(request), authorization: second });
  };
}

/** The Authorization header that the demand asks for, another than the rejected one; undefined where there is none to give. */
async function authorize(
  tokens: TokenSource,
  { host, path, signal }: RepositoryRequest,
  { demand, rejected }: { demand: Demand; rejected?: string | undefined },
): Promise<string | undefined> {
  const { scheme, parameters } = demand.challenge;
  if (scheme === 'basic') return formatBasic(host.credential);
  const realm = parameters.get('realm') ?? '';
  const wanted = { host, path, realm, service: parameters.get('service'), askedUrl: demand.askedUrl };
  const about = { rejected: rejected?.replace(/^Bearer /, ''), signal };
  return `Bearer ${await tokens.obtain(keyOf(host, path), wanted, about)}`;
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
function keyOf(host: RegistryHost, path: string): string {
  return createHash('sha256')
    .update(JSON.stringify([host.origin, host.credential, path]))
    .digest('hex');
}

function withoutPath({ path: _path, ...request }: RepositoryRequest): HttpRequest {
  return request;
}
