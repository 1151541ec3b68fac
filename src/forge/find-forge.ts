/** Which forge a Yaml repo is on, and how its API is reached. */

/** A new forge is one file and one row in `forges` (create-forge.ts). */
export type ForgeKind = 'github' | 'gitlab' | 'gitea';

/** One repository of a forge. `{ kind: 'github', apiUrl: 'https://api.github.com', project: 'acme/deploy', host: 'github.com' }` */
export interface ForgePlace {
  readonly kind: ForgeKind;
  /** Without a slash at its end. */
  readonly apiUrl: string;
  readonly project: string;
  readonly host: string;
}

const kindsByHost: Readonly<Record<string, ForgeKind>> = {
  'github.com': 'github',
  'gitlab.com': 'gitlab',
  'gitea.com': 'gitea',
  'codeberg.org': 'gitea',
};

/** Where the API stands below the forge's own address. Source: GitHub Enterprise Server, GitLab and Gitea, each "REST API". */
export const apiPaths: Readonly<Record<ForgeKind, string>> = { github: '/api/v3', gitlab: '/api/v4', gitea: '/api/v1' };

/**
 * The place behind a repository's address; `kind` and `apiUrl` are what the configuration says. Undefined where neither
 * it nor the host's name tells, or the address holds no `owner/name`.
 *
 * @example
 * findForge('https://github.com/acme/deploy.git', {})?.apiUrl // 'https://api.github.com'
 */
export function findForge(
  repoUrl: string,
  { kind: configured, apiUrl }: { kind?: ForgeKind | undefined; apiUrl?: string | undefined },
): ForgePlace | undefined {
  const url = parseAddress(repoUrl);
  const kind =
    configured ?? (url && (Object.hasOwn(kindsByHost, url.hostname) ? kindsByHost[url.hostname] : undefined));
  if (url === undefined || kind === undefined) return undefined;
  const api = (apiUrl ?? defaultApiUrl(kind, url)).replace(/\/+$/, '');
  const project = findProject(kind, url, api);
  return project === undefined ? undefined : { kind, apiUrl: api, project, host: url.host };
}

/** Also `git@host:owner/name.git`. An API is asked over https, wherever Git goes over SSH. */
function parseAddress(repoUrl: string): URL | undefined {
  const scp = /^(?:[^/\s@]+@)?([^/\s:@]+):(?!\/\/)\/?(.+)$/.exec(repoUrl);
  if (scp !== null) return parseAddress(`https://${scp[1]}/${scp[2]}`);
  const url = URL.canParse(repoUrl) ? new URL(repoUrl) : undefined;
  if (url?.protocol === 'ssh:') return parseAddress(`https://${url.hostname}${url.pathname}`);
  return url !== undefined && ['https:', 'http:'].includes(url.protocol) ? url : undefined;
}

function defaultApiUrl(kind: ForgeKind, { origin, hostname, pathname }: URL): string {
  if (kind === 'github' && hostname === 'github.com') return 'https://api.github.com';
  // Gitea's repositories are always owner/name, so what stands before is where it is mounted.
  const mount = kind === 'gitea' ? splitPath(pathname).slice(0, -2) : [];
  return `${[origin, ...mount].join('/')}${apiPaths[kind]}`;
}

function findProject(kind: ForgeKind, { pathname }: URL, apiUrl: string): string | undefined {
  const api = new URL(apiUrl).pathname;
  const mount = api.endsWith(apiPaths[kind]) ? splitPath(api.slice(0, -apiPaths[kind].length)) : [];
  const path = splitPath(pathname.replace(/\/+$/, '').replace(/\.git$/, ''));
  const isMounted = mount.every((part, index) => path[index] === part);
  const names = isMounted ? path.slice(mount.length) : path;
  return names.length < 2 || (kind !== 'gitlab' && names.length > 2) ? undefined : names.join('/');
}

function splitPath(pathname: string): string[] {
  return pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodePart);
}

/** What is no escaped UTF-8 stands for itself. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
