import { type ReadPem, readCa } from './read-certificate.ts';
import type { SecretPlaces } from './read-cluster-secret.ts';
import { readSecret } from './read-secret.ts';
import { parseRedisNode, type RedisConfig } from './redis-schema.ts';

type ReadCredential = () => { username: string; password: string };
type CredentialsConfig = NonNullable<RedisConfig['credentials']>;

interface Node {
  readonly host: string;
  readonly port: number;
}

/** What a connection to Redis needs, but for the log. Secrets are read at each connection, and then throw `ConfigInvalid` or `SecretUnavailable` where they cannot be; so do the authorities, at once. */
export interface RedisAccess {
  readonly place:
    | ({ readonly kind: 'server'; readonly database: number } & Node)
    | {
        readonly kind: 'sentinel';
        readonly master: string;
        readonly nodes: readonly Node[];
        readonly credential: ReadCredential | undefined;
      }
    | { readonly kind: 'cluster'; readonly nodes: readonly Node[] };
  readonly tls: { readonly ca: string | undefined } | undefined;
  readonly credential: ReadCredential | undefined;
  readonly keyPrefix: string;
}

const usualPort = 6379;

/** The settings as the connection takes them. */
export function readRedisAccess(
  config: RedisConfig,
  { places, readPem }: { places: SecretPlaces; readPem: ReadPem },
): RedisAccess {
  const { url, tls, credentials, keyPrefix } = config;
  const toCredential = (settings: CredentialsConfig | undefined): ReadCredential | undefined =>
    settings && (() => readSecret({ ...settings, username: settings.username ?? 'default' }, places));
  const isTls = tls || url?.startsWith('rediss:') === true;
  return {
    place: readPlace(config, toCredential),
    tls: isTls ? { ca: readCa(config, readPem) } : undefined,
    credential: toCredential(credentials),
    keyPrefix,
  };
}

function readPlace(
  { url, sentinel, cluster }: RedisConfig,
  toCredential: (settings: CredentialsConfig | undefined) => ReadCredential | undefined,
): RedisAccess['place'] {
  if (sentinel !== undefined) {
    const { master, nodes, credentials } = sentinel;
    return { kind: 'sentinel', master, nodes: toNodes(nodes), credential: toCredential(credentials) };
  }
  if (cluster !== undefined) return { kind: 'cluster', nodes: toNodes(cluster.nodes) };
  const { hostname, port, pathname } = new URL(url ?? '');
  return {
    kind: 'server',
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? usualPort : Number(port),
    database: Number(pathname.slice(1)),
  };
}

function toNodes(texts: readonly string[]): readonly Node[] {
  return texts.flatMap((text) => parseRedisNode(text) ?? []);
}
