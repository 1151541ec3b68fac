/** One name for each registry, however it is spelled in images and in the configuration. */

/** All hosts that are Docker Hub's registry. */
const hubHosts: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-f0-9:]+\\])(?::(\\d{1,5}))?$`, 'i');

/**
 * The host in lower case, without the port that https has anyway, and with one name for Docker Hub. A name that would no
 * longer be read as a host (`Web/app`) stays as it is, and so does the port of an address or of this machine, which may
 * be asked without TLS.
 *
 * @example
 * normalizeRegistryHost('GHCR.io:443') // 'ghcr.io'
 */
export function normalizeRegistryHost(host: string): string {
  const lower = host.toLowerCase();
  const bare = /^(?!.*\blocalhost:)[a-z0-9.-]+\.[a-z][a-z0-9-]*:443$/.test(lower)
    ? lower.slice(0, -':443'.length)
    : lower;
  if (hubHosts.includes(bare)) return 'docker.io';
  return looksLikeHost(bare) ? bare : host;
}

/**
 * What was wanted instead of this host of a registry; undefined where images can name it.
 *
 * @example
 * describeHostFault('https://ghcr.io') // 'a host without https:// and without a path, such as ghcr.io'
 */
export function describeHostFault(host: string): string | undefined {
  if (host.includes('/')) return 'a host without https:// and without a path, such as ghcr.io';
  const [, port = '0'] = hostPattern.exec(host) ?? [];
  if (!hostPattern.test(host) || Number(port) > 65_535) return 'a host name or address, with a port if images name one';
  return looksLikeHost(host) ? undefined : 'a host with a dot or a port: images cannot name another';
}

/** distribution/reference splitDockerDomain: what tells a host from the first part of a path on Docker Hub. */
export function looksLikeHost(component: string): boolean {
  return /[.:]/.test(component) || component === 'localhost' || component !== component.toLowerCase();
}
