/** The names under which pull secrets keep credentials, matched as the kubelet does. Source: Kubernetes' "Images", "Interpretation of config.json", and its pkg/credentialprovider. */
import type { ImageRepository } from '../../image/reference.ts';
import { normalizeHost } from './lookup-keys.ts';

/**
 * The key as host and prefix of a path, without scheme and the API's `/v1` or `/v2`; the host may have wildcards.
 *
 * @example
 * normalizePullKey('https://*.Example.com/v2/acme/') // '*.example.com/acme/'
 */
export function normalizePullKey(key: string): string {
  const bare = key.replace(/^https?:\/\//i, '');
  const slash = bare.indexOf('/');
  const host = normalizeHost(slash === -1 ? bare : bare.slice(0, slash)).replace(/^(.*\*.*):443$/, '$1');
  const path = slash === -1 ? '' : bare.slice(slash).replace(/^\/v[12](?=\/|$)/, '');
  return path === '/' ? host : `${host}${path}`;
}

/**
 * Whether a key speaks for the repository: same port, as many parts of the host, each matching, and the path begins so,
 * in the middle of a name too.
 *
 * @example
 * matchesPullKey('*.example.com/acme', { host: 'eu.example.com', path: 'acme/web' }) // true
 */
export function matchesPullKey(key: string, { host, path }: ImageRepository): boolean {
  const slash = key.indexOf('/');
  const [wanted, prefix] = slash === -1 ? [key, ''] : [key.slice(0, slash), key.slice(slash)];
  if (!`/${path}`.startsWith(prefix)) return false;
  // An address of IPv6 is no class of signs.
  if (wanted.startsWith('[')) return wanted === normalizeHost(host);
  const [glob, target] = [splitHost(wanted), splitHost(normalizeHost(host))];
  return (
    glob.port === target.port &&
    glob.parts.length === target.parts.length &&
    glob.parts.every((part, index) => matchesGlob(part, target.parts[index] ?? ''))
  );
}

/**
 * Orders keys as the kubelet tries them: a longer path before a shorter one, a name before a wildcard.
 *
 * @example
 * ['*.a.io', 'b.a.io', 'b.a.io/x'].sort(comparePullKeys) // ['b.a.io/x', 'b.a.io', '*.a.io']
 */
export function comparePullKeys(one: string, other: string): number {
  if (one === other) return 0;
  return one > other ? -1 : 1;
}

function splitHost(host: string): { parts: readonly string[]; port: string } {
  const [, port = ''] = /:(\d+)$/.exec(host) ?? [];
  return { parts: (port === '' ? host : host.slice(0, -port.length - 1)).split('.'), port };
}

type Sign = 'many' | ((char: string) => boolean);

/** Go's filepath.Match for one part of a host. By hand, as a regular expression may take exponential time. */
function matchesGlob(glob: string, text: string): boolean {
  const signs = readSigns(glob);
  if (signs === undefined) return false;
  let [at, star, resume] = [0, -1, 0];
  for (let index = 0; index < text.length; ) {
    const sign = signs[at];
    if (sign === 'many') {
      [star, resume] = [at, index];
      at += 1;
    } else if (sign?.(text[index] ?? '')) {
      at += 1;
      index += 1;
    } else if (star === -1) return false;
    else {
      resume += 1;
      [at, index] = [star + 1, resume];
    }
  }
  return signs.slice(at).every((sign) => sign === 'many');
}

/** Undefined for a class that does not end. */
function readSigns(glob: string): readonly Sign[] | undefined {
  const signs: Sign[] = [];
  for (let index = 0; index < glob.length; index++) {
    const char = glob[index];
    if (char === '*') signs.push('many');
    else if (char === '?') signs.push(() => true);
    else if (char === '[') {
      const end = glob.indexOf(']', index + 2);
      if (end === -1) return undefined;
      signs.push(readClass(glob.slice(index + 1, end)));
      index = end;
    } else signs.push((other) => other === char);
  }
  return signs;
}

/** `a-z0-9`, or `^a-z` for all others. */
function readClass(text: string): (char: string) => boolean {
  const isNegated = text.startsWith('^');
  const ranges = [...(isNegated ? text.slice(1) : text).matchAll(/(.)-(.)|(.)/g)];
  const isIn = (char: string): boolean =>
    ranges.some(
      ([, from, to, single]) => char === single || (from !== undefined && from <= char && char <= (to ?? '')),
    );
  return (char) => isIn(char) !== isNegated;
}
