/** Asks Docker Hub's web API when tags were pushed: its registry does not tell. */
import { TallymanError } from '../error/tallyman-error.ts';
import { toAnswerError } from './answer-error.ts';
import { type Credential, listSecrets } from './credentials/credential.ts';
import { type HostSettings, type RegistryHost, resolveRegistryHost } from './host.ts';
import type { HttpAnswer } from './http.ts';
import { isObject, parseJsonObject } from './json.ts';
import type { Limits } from './limits.ts';
import { rememberRecent } from './remember-recent.ts';
import type { Send } from './retry.ts';

export interface HubTimes {
  /**
   * When each tag of the repository was last pushed, in milliseconds since 1970, by Docker Hub's own clock. Only as many
   * pages are read as have something new. Throws RegistryDenied, RegistryUnavailable, RegistryInvalid, ImageNotFound.
   */
  list(path: string, about: HubRequest): Promise<ReadonlyMap<string, number>>;
}

interface HubRequest {
  readonly credential: Credential | undefined;
  /** For messages: `list the push times of "docker.io/acme/web"` */
  readonly task: string;
  readonly signal: AbortSignal;
}

interface HubOptions {
  readonly send: Send;
  readonly hosts: (host: string) => HostSettings;
  readonly limits: Limits;
}

/** What one repository is asked with. */
interface Asking extends HubRequest {
  readonly host: RegistryHost;
  readonly path: string;
}

const hubName = 'hub.docker.com';
/** The most that the API gives. */
const pageSize = 100;
/** Newest first: tags beyond are so old that their age hardly matters, and count as unknown. */
const maxPages = 100;
const maxRepositories = 2000;
/** Private repositories are hidden from those who do not sign in. */
const hiddenStatuses: readonly number[] = [401, 403, 404];

export function createHubTimes({ send, hosts, limits }: HubOptions): HubTimes {
  const known = new Map<string, ReadonlyMap<string, number>>();
  const tokens = new Map<string, string>();

  async function askPage(asking: Asking, page: number): Promise<HttpAnswer> {
    const url = new URL(`/v2/repositories/${asking.path}/tags`, asking.host.origin);
    url.search = String(new URLSearchParams({ page_size: `${pageSize}`, ordering: 'last_updated', page: `${page}` }));
    const token = tokens.get(asking.path);
    const authorization = token && `Bearer ${token}`;
    const { host, task, signal } = asking;
    return send({
      host,
      url,
      accept: 'application/json',
      authorization,
      maxBodyBytes: limits.maxTagPageBytes,
      task,
      signal,
    });
  }

  async function readPage(asking: Asking, page: number): Promise<HubPage> {
    let answer = await askPage(asking, page);
    const { credential, task } = asking;
    if (hiddenStatuses.includes(answer.status) && credential !== undefined && 'password' in credential) {
      const token = await fetchToken(asking, { send, limits });
      rememberRecent(tokens, [asking.path, token], maxRepositories);
      answer = await askPage(asking, page);
    }
    if (answer.status !== 200) throw toAnswerError(answer, { task, signedIn: credential !== undefined });
    return parsePage(answer.body) ?? refuse(task, 'the answer is no list of tags', 'an object with "results"');
  }

  return {
    list: async (path, request) => {
      const asking = { ...request, path, host: resolveRegistryHost(hubName, hosts(hubName)) };
      const before = known.get(path) ?? new Map<string, number>();
      const times = new Map(before);
      for (let page = 1; page <= maxPages; page += 1) {
        const { entries, isLast } = await readPage(asking, page);
        for (const { tag, pushedMs } of entries) times.set(tag, pushedMs);
        if (isLast || isOldNews(entries, before)) break;
      }
      rememberRecent(known, [path, times], maxRepositories);
      return times;
    },
  };
}

interface HubTag {
  readonly tag: string;
  readonly pushedMs: number;
}

interface HubPage {
  readonly entries: readonly HubTag[];
  readonly isLast: boolean;
}

/** Source: Docker Hub API, "List repository tags": `{ next, results: [{ name, tag_last_pushed }] }`. */
function parsePage(body: Buffer): HubPage | undefined {
  const { results, next } = parseJsonObject(body) ?? {};
  if (!Array.isArray(results)) return undefined;
  const entries = results.filter(isObject).flatMap(({ name, tag_last_pushed: pushed }) => {
    const pushedMs = typeof pushed === 'string' ? Date.parse(pushed) : Number.NaN;
    return typeof name === 'string' && !Number.isNaN(pushedMs) ? [{ tag: name, pushedMs }] : [];
  });
  return { entries, isLast: typeof next !== 'string' || results.length === 0 };
}

/** Whether all of it was known, and the pages behind it are older still. */
function isOldNews(entries: readonly HubTag[], before: ReadonlyMap<string, number>): boolean {
  const first = entries.at(0);
  const last = entries.at(-1);
  if (first === undefined || last === undefined || first.pushedMs < last.pushedMs) return false;
  return entries.every(({ tag, pushedMs }) => before.get(tag) === pushedMs);
}

/** Source: Docker Hub API, "Create access token". */
async function fetchToken(
  { host, credential, signal }: Asking,
  { send, limits }: Pick<HubOptions, 'send' | 'limits'>,
): Promise<string> {
  if (credential === undefined || !('password' in credential)) throw new Error('a password was checked for');
  const task = `sign in to "${hubName}" as "${credential.username}"`;
  const answer = await send({
    method: 'POST',
    host,
    url: new URL('/v2/auth/token', host.origin),
    accept: 'application/json',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: credential.username, secret: credential.password }),
    secrets: listSecrets(credential),
    maxBodyBytes: limits.maxTokenBytes,
    task,
    signal,
  });
  if (answer.status !== 200) throw toAnswerError(answer, { task, signedIn: true });
  const token = parseJsonObject(answer.body)?.access_token;
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  return refuse(task, 'the answer holds no token', 'an object with "access_token"');
}

function refuse(task: string, found: string, wanted: string): never {
  throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, ${wanted} was wanted`);
}
