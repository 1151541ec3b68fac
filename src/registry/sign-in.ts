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

  async function findDemand(request: RepositoryRequest, answer: HttpAnswer): Promise<Demand | undefined> {
    const demand = readDemand(request, answer);
    if (demand !== undefined) return demand;
    const url = new URL('/v2/', request.host.origin);
    const ping = await send({ ...withoutPath(request), url, accept: '*/*' });
    return ping.status === 401 ? readDemand(request, ping) : undefined;
  }

  /** The Authorization header that the demand asks for; undefined where there is nothing to give. */
  async function authorize(request: RepositoryRequest, demand: Demand, rejected?: string): Promise<string | undefined> {
    const { host, path, signal } = request;
    const { credential } = host.settings;
    const { scheme, parameters } = demand.challenge;
    if (scheme === 'basic') return credential && formatBasic(credential);
    const wanted = {
      host,
      path,
      realm: parameters.get('realm') ?? '',
      service: parameters.get('service'),
      askedUrl: demand.askedUrl,
    };
    const key = keyOf(host, path);
    const token = await tokens.obtain(key, wanted, { rejected: rejected?.replace(/^Bearer /, ''), signal });
    return `Bearer ${token}`;
  }

  /** A realm may move: what fails by a remembered challenge is asked for anew by the next call. */
  async function authorizeAgain(request: RepositoryRequest, demand: Demand): Promise<string | undefined> {
    try {
      return await authorize(request, demand);
    } catch (error) {
      demands.delete(keyOf(request.host, request.path));
      throw error;
    }
  }

  return async (request) => {
    const key = keyOf(request.host, request.path);
    const known = demands.get(key);
    const first = known && (await authorizeAgain(request, known));
    const answer = await send({ ...withoutPath(request), authorization: first });
    if (answer.status !== 401) return answer;
    demands.delete(key);
    const demand = await findDemand(request, answer);
    const second = demand && (await authorize(request, demand, first));
    if (demand === undefined || second === undefined || second === first) return answer;
    demands.set(key, demand);
    const oldest = demands.keys().next();
    if (demands.size > maxDemands && oldest.done === false) demands.delete(oldest.value);
    return send({ ...withoutPath(request), authorization: second });
  };
}

/** Only the registry itself may ask for a sign-in, not a host that it redirects to. */
function readDemand({ host }: RepositoryRequest, answer: HttpAnswer): Demand | undefined {
  if (answer.url.origin !== host.origin) return undefined;
  const challenge = selectChallenge(parseChallenges(answer.headers['www-authenticate'] ?? ''));
  return challenge && { challenge, askedUrl: answer.url };
}

/** One per host, credential and repository, so that a changed credential never meets another's token. */
function keyOf(host: RegistryHost, path: string): string {
  const { username, password } = host.settings.credential ?? {};
  return createHash('sha256')
    .update(JSON.stringify([host.origin, username, password, path]))
    .digest('hex');
}

function withoutPath({ path: _path, ...request }: RepositoryRequest): HttpRequest {
  return request;
}
