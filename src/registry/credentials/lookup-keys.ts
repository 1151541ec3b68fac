/** The names under which Docker's and Podman's files keep the credentials of an image. */
import type { ImageRepository } from '../../image/reference.ts';
import { normalizeRegistryHost } from '../../image/registry-host.ts';

/**
 * What to look up, most specific first: the whole repository, each shorter path, the host.
 * Source: containers-auth.json(5), "FORMAT".
 *
 * @example
 * listLookupKeys({ host: 'ghcr.io', path: 'acme/web' }) // ['ghcr.io/acme/web', 'ghcr.io/acme', 'ghcr.io']
 */
export function listLookupKeys({ host, path }: ImageRepository): readonly string[] {
  const parts = path.split('/');
  const paths = parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`);
  return [...paths, ''].map((rest) => `${normalizeHost(host)}${rest}`);
}

/**
 * The key of a file as `listLookupKeys` writes it: without scheme, the API's `/v1` or `/v2`, and slashes at the end.
 *
 * @example
 * normalizeKey('https://index.docker.io/v1/') // 'docker.io'
 */
export function normalizeKey(key: string): string {
  const bare = key.replace(/^https?:\/\//i, '');
  const slash = bare.indexOf('/');
  if (slash === -1) return normalizeHost(bare);
  const rest = withoutEndSlashes(bare.slice(slash));
  // Only an address has the API's root before a path; without a scheme, `v2` may be a repository's own first part.
  const path = bare === key ? rest.replace(/^\/v[12]$/, '') : rest.replace(/^\/v[12](?=\/|$)/, '');
  return `${normalizeHost(bare.slice(0, slash))}${path}`;
}

/** The host as in image references, and always in lower case. Docker Hub's usual key is `https://index.docker.io/v1/`. */
export function normalizeHost(host: string): string {
  return normalizeRegistryHost(host).toLowerCase();
}

/** By hand, as `/\/+$/` takes quadratic time on a megabyte of slashes. */
function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}
