/** Whether two addresses mean the same Git repository. */

interface RepoPlace {
  /** Without its colon; `file` for a path. */
  readonly scheme: string;
  readonly host: string;
  /** Empty for the scheme's own. */
  readonly port: string;
  readonly path: string;
}

const defaultPorts: Readonly<Record<string, string>> = { https: '443', http: '80', ssh: '22', git: '9418' };

/**
 * Whether a payload's address means the configured repository: also in another form (https, ssh, `git@host:path`), with or
 * without user, `.git`, slash at its end or the scheme's own port. Ports count only where both have the same scheme, and
 * upper case never: being woken for nothing costs one look, not being woken costs the whole wait.
 *
 * @example
 * matchesRepoUrl('git@github.com:acme/deploy.git', 'https://github.com/Acme/deploy') // true
 */
export function matchesRepoUrl(sent: string, configured: string): boolean {
  const [left, right] = [parsePlace(sent), parsePlace(configured)];
  if (left === undefined || right === undefined || left.path === '') return false;
  if (left.host !== right.host || left.path !== right.path) return false;
  return left.scheme !== right.scheme || left.port === right.port;
}

/** Forms of git-clone(1), "GIT URLS". */
function parsePlace(text: string): RepoPlace | undefined {
  if (text.startsWith('/')) return { scheme: 'file', host: '', port: '', path: normalizePath(text) };
  const [, scp, scpPath = ''] = /^(?:[^@/\s]+@)?(\[[0-9a-f:]+\]|[^:/@\s]+):(?!\/\/)(.+)$/i.exec(text) ?? [];
  if (scp !== undefined) return { scheme: 'ssh', host: normalizeHost(scp), port: '', path: normalizePath(scpPath) };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return undefined;
  const scheme = url.protocol.slice(0, -1).replace(/^git\+/, '');
  const port = url.port === defaultPorts[scheme] ? '' : url.port;
  return { scheme, host: normalizeHost(url.hostname), port, path: normalizePath(url.pathname) };
}

function normalizeHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

function normalizePath(path: string): string {
  const parts = decode(path)
    .normalize('NFC')
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '');
  return parts.join('/').replace(/\.git$/, '');
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
