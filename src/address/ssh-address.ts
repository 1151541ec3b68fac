/** Addresses of Git repositories behind SSH, in the two forms that Git knows. */

/** `{ user: 'git', host: 'git.example.com', port: 22, path: '/acme/deploy.git' }` */
export interface SshAddress {
  readonly user: string;
  readonly host: string;
  readonly port: number;
  /** As the server's command gets it: absolute, or relative to the user's home. */
  readonly path: string;
}

/** What is in order, or what was wanted instead. */
type Reading<T> = { readonly value: T } | { readonly wanted: string };

/** Who asks where the address names nobody: the user of every forge. */
const defaultUser = 'git';
const defaultPort = 22;
const wantedForm = 'an address ssh://user@host/path or user@host:path';

/** Whether the text means SSH: `ssh://…`, or `user@host:path`. */
export function isSshAddress(text: string): boolean {
  return /^ssh:\/\//i.test(text) || (!text.includes('://') && /^[^/\s:]+@(?:\[[^\]]*\]|[^/\s:]+):/.test(text));
}

/**
 * The parts of the address, or what was wanted instead; the address itself is never repeated. Nothing in it can be an
 * option of a command or end a line. Source: git's "git-clone", "GIT URLS".
 *
 * @example
 * parseSshAddress('git@github.com:acme/deploy.git') // { value: { user: 'git', host: 'github.com', port: 22, path: 'acme/deploy.git' } }
 */
export function parseSshAddress(text: string): Reading<SshAddress> {
  const split = /^ssh:\/\//i.test(text) ? splitUrl(text) : splitShort(text);
  if (split === undefined) return { wanted: wantedForm };
  const { user, host, port, path } = split;
  if (user.includes(':')) return { wanted: 'an address without a password' };
  if (!/^\w[\w.+@-]{0,127}$/.test(user)) return { wanted: 'a user of letters, digits and . _ + @ -' };
  if (!/^(?:[a-z0-9][a-z0-9._-]{0,253}|[0-9a-f:.]*:[0-9a-f:.]*)$/i.test(host))
    return { wanted: 'a host name or an IP address' };
  if (port < 1 || port > 65_535) return { wanted: 'a port between 1 and 65535' };
  if (path.length > 1024 || /^-|\p{Cc}/u.test(path) || /^[/~]*$/.test(path))
    return { wanted: 'the path of a repository, without control characters and no dash at its start' };
  return { value: { user, host: host.toLowerCase(), port, path } };
}

function splitUrl(text: string): SshAddress | undefined {
  const [, user, host, port, path] =
    /^ssh:\/\/(?:([^/]*)@)?(\[[^\]/]*\]|[^:/@[\]]*)(?::(\d{1,5}))?(\/.*)$/is.exec(text) ?? [];
  if (host === undefined || path === undefined) return undefined;
  try {
    const decoded = decodeURIComponent(path);
    return {
      user: decodeURIComponent(user ?? defaultUser),
      host: stripBrackets(host),
      port: port === undefined ? defaultPort : Number(port),
      // Git's own rule for somebody's home: ssh://host/~ann/site.git
      path: decoded.startsWith('/~') ? decoded.slice(1) : decoded,
    };
  } catch {
    return undefined;
  }
}

function splitShort(text: string): SshAddress | undefined {
  const [, user, host, path] = /^([^/@]*)@(\[[^\]/]*\]|[^:/@[\]]*):(.*)$/s.exec(text) ?? [];
  if (user === undefined || host === undefined || path === undefined) return undefined;
  return { user, host: stripBrackets(host), port: defaultPort, path };
}

function stripBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
