/** Asks Docker Hub's web API when tags were pushed: its registry does not tell. */
import { TallymanError } from '../error/tallyman-error.ts';
import { toAnswerError } from './answer-error.ts';
import type { Credential } from './credentials/credential.ts';
import { type HostSettings, type RegistryHost, resolveRegistryHost } from './host.ts';
import type { HttpAnswer } from './http.ts';
import { type HubPage, parseHubPage } from './hub-page.ts';
import { type HubProgress, noProgress, readOn } from './hub-progress.ts';
import { createHubSignIn } from './hub-sign-in.ts';
import type { Limits } from './limits.ts';
import { rememberRecent } from './remember-recent.ts';
import type { Send } from './retry.ts';

export interface HubTimes {
  /**
   * When each of the tags was last pushed, as far as it is known, in milliseconds since 1970, by Docker Hub's own clock.
   * Only as many pages are read as have something new. `fault`: a TallymanError that kept the look from getting through.
   */
  list(path: string, about: HubRequest): Promise<KnownTimes>;
}

interface KnownTimes {
  readonly pushedMs: ReadonlyMap<string, number>;
  readonly fault: TallymanError | undefined;
}

interface HubRequest {
  /** What the registry lists: nothing is kept of others. */
  readonly tags: Iterable<string>;
  /** What signs in to Docker Hub's registry; undefined where that is nobody. */
  readonly credential: Credential | undefined;
  /** For messages: `list the push times of "docker.io/acme/web"` */
  readonly task: string;
  readonly signal: AbortSignal;
}

interface HubOptions {
  readonly send: Send;
  readonly hosts: (host: string) => HostSettings;
  readonly limits: Limits;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
}

/** What one repository is asked with. */
interface Asking extends Pick<HubRequest, 'task' | 'signal'> {
  readonly host: RegistryHost;
  readonly path: string;
}

const hubName = 'hub.docker.com';
const registryName = 'docker.io';
/** The most that the API gives. */
const pageSize = 100;
const maxRepositories = 2000;
/** Private repositories are hidden from those who do not sign in. */
const hiddenStatuses: readonly number[] = [401, 403, 404];

export function createHubTimes({ send, hosts, limits, now }: HubOptions): HubTimes {
  const known = new Map<string, HubProgress>();
  /** Repositories that were hidden until somebody signed in. */
  const hidden = new Map<string, true>();
  const signIn = createHubSignIn({ send, now, limits });

  function askPage({ host, path, task, signal }: Asking, page: number, authorization?: string): Promise<HttpAnswer> {
    const url = new URL(`/v2/repositories/${path}/tags`, host.origin);
    url.search = String(new URLSearchParams({ page_size: `${pageSize}`, ordering: 'last_updated', page: `${page}` }));
    const maxBodyBytes = limits.maxTagPageBytes;
    return send({ host, url, accept: 'application/json', authorization, maxBodyBytes, task, signal });
  }

  /** Bare where that is enough; a token that the API refuses is renewed once. */
  async function askSignedIn(asking: Asking, page: number): Promise<HttpAnswer> {
    const { host, path, signal } = asking;
    const { credential } = host;
    const account = credential !== undefined && 'password' in credential ? { host, user: credential } : undefined;
    if (account === undefined || !hidden.has(path)) {
      const answer = await askPage(asking, page);
      if (account === undefined || !hiddenStatuses.includes(answer.status)) return answer;
    }
    const answer = await askPage(asking, page, await signIn.obtain(account, signal));
    if (answer.status === 200) rememberRecent(hidden, [path, true], maxRepositories);
    // One that never opened this repository is no worse for it, and serves others.
    if (answer.status !== 401 || !hidden.delete(path)) return answer;
    signIn.drop(account);
    return askPage(asking, page, await signIn.obtain(account, signal));
  }

  async function readPage(asking: Asking, page: number): Promise<HubPage> {
    const answer = await askSignedIn(asking, page);
    const { task, host } = asking;
    if (answer.status !== 200) throw describeHidden(toAnswerError(answer, { task, credential: host.credential }));
    const found = parseHubPage(answer.body);
    if (found !== undefined) return found;
    throw new TallymanError(
      'RegistryInvalid',
      `Cannot ${task}: the answer is no list of tags, an object with "results" was wanted`,
    );
  }

  return {
    list: async (path, { tags, credential, ...request }) => {
      const before = known.get(path) ?? noProgress;
      const { progress, fault } = await readOn(before, new Set(tags), (page) => {
        const host = findHost(hosts, credential);
        return readPage({ ...request, path, host }, page);
      });
      // Also where nobody waits any more: the next look goes on from there.
      rememberRecent(known, [path, progress], maxRepositories);
      if (fault !== undefined && !(fault instanceof TallymanError)) throw fault;
      return { pushedMs: progress.times, fault };
    },
  };
}

/** With an endpoint, what signs in to the registry is for that mirror, and none of Docker Hub's business. */
function findHost(hosts: HubOptions['hosts'], credential: Credential | undefined): RegistryHost {
  const settings = hosts(hubName);
  const shared = hosts(registryName).endpoint === undefined ? credential : undefined;
  return resolveRegistryHost(hubName, settings, settings.credential ?? shared);
}

function describeHidden(error: TallymanError): TallymanError {
  if (error.code !== 'RegistryDenied' && error.code !== 'ImageNotFound') return error;
  const remedy = `Give a user that may see the repository for host ${hubName} under \`registries\` in the configuration: push times are asked for there.`;
  return new TallymanError(error.code, error.message, { remedy });
}
