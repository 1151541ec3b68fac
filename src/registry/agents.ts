/** Finds the connections for a request: straight or through a proxy, with the host's certificates, guarded where need be. */
import type { LookupFunction } from 'node:net';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { TallymanError } from '../error/tallyman-error.ts';
import { createGuardedLookup } from './guard.ts';
import type { HostSettings, RegistryHost } from './host.ts';
import type { Limits } from './limits.ts';
import { createProxyConnector, createTunnelConnector, type HttpProxy, parseProxy } from './proxy.ts';

export interface AgentOptions {
  readonly limits: Limits;
  /** Address of the HTTP proxy for a URL, `http://user:password@proxy.example.com:3128`; default none for any. */
  readonly proxy?: ((url: URL) => string | undefined) | undefined;
  /** Resolves the names of hosts; default the system's. */
  readonly lookup?: LookupFunction | undefined;
}

/** How a request gets to where it goes. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly proxy: HttpProxy | undefined;
}

export interface Agents {
  /** The way to a URL on behalf of the host; throws ConfigInvalid where its certificates or the proxy cannot be used. */
  find(host: RegistryHost, url: URL): Route;
  close(): Promise<void>;
}

/** Each keeps its connections alive; beyond these the one not used for longest is closed. */
const maxAgents = 100;

export function createAgents({ limits, proxy: findProxy, lookup }: AgentOptions): Agents {
  const agents = createKept<Agent>(maxAgents, (agent) => void agent.close().catch(() => {}));
  const contexts = createKept<SecureContext>(maxAgents);
  const timeout = limits.connectMs;
  const createAgent = (connect: buildConnector.BuildOptions | buildConnector.connector): Agent =>
    new Agent({ headersTimeout: limits.headersMs, bodyTimeout: limits.bodyMs, connect });

  /** Proxies are trusted by the well-known roots: a registry's private authority says nothing of them. */
  function findForwarder(proxy: HttpProxy): Agent {
    const options = { timeout, ...(lookup && { lookup }) };
    return agents.keep(['proxy', proxy.origin], () => createAgent(createProxyConnector(proxy, options)));
  }

  /** Without a guard: the proxy resolves the names, and only it can refuse what they resolve to. */
  function findTunnel(proxy: HttpProxy, { identity, tls }: Side): Agent {
    return agents.keep(['tunnel', proxy.origin, proxy.authorization, identity], () =>
      createAgent(
        createTunnelConnector(proxy, {
          findDispatcher: () => findForwarder(proxy),
          connectTls: buildConnector(tls),
          timeoutMs: limits.connectMs + limits.headersMs,
        }),
      ),
    );
  }

  function findStraight(guard: string | undefined, { identity, tls }: Side): Agent {
    const resolve = guard === undefined ? lookup : createGuardedLookup(guard, lookup);
    return agents.keep(['straight', guard, identity], () =>
      createAgent({ ...tls, ...(resolve && { lookup: resolve }) }),
    );
  }

  function prepareSide(host: RegistryHost, isGuarded: boolean): Side {
    const identity = findIdentity(host.settings, isGuarded);
    if (identity.ca === undefined && identity.clientCertificate === undefined) return { identity, tls: { timeout } };
    // Reading all the well-known roots takes 50 ms: too long for each connection.
    const secureContext = contexts.keep([identity], () => createContext(identity, host));
    return { identity, tls: { timeout, secureContext } };
  }

  return {
    find: (host, url) => {
      const address = findProxy?.(url);
      const proxy = address === undefined ? undefined : parseProxy(address);
      if (proxy !== undefined && url.protocol === 'http:') return { dispatcher: findForwarder(proxy), proxy };
      const guard = isOwn(host, url) ? undefined : new URL(host.origin).hostname;
      const side = prepareSide(host, guard !== undefined);
      return { dispatcher: proxy === undefined ? findStraight(guard, side) : findTunnel(proxy, side), proxy };
    },
    close: async () => {
      await Promise.all(agents.list().map((agent) => agent.destroy()));
    },
  };
}

/** The client's side of a TLS connection. */
interface Side {
  readonly identity: Identity;
  readonly tls: buildConnector.BuildOptions;
}

/** Whether the operator named the origin of the URL, rather than the registry: another port may be another's. */
function isOwn({ origin, settings }: RegistryHost, url: URL): boolean {
  return url.origin === new URL(origin).origin || settings.trustedOrigins?.includes(url.origin) === true;
}

/** What the client trusts and shows of itself. */
type Identity = Pick<HostSettings, 'ca' | 'clientCertificate'>;

/** A private authority often signs the token server too; who the client is, is told to the operator's hosts alone. */
function findIdentity({ ca, clientCertificate }: HostSettings, isGuarded: boolean): Identity {
  return { ca, clientCertificate: isGuarded ? undefined : clientCertificate };
}

function createContext({ ca, clientCertificate }: Identity, { name }: RegistryHost): SecureContext {
  try {
    return createSecureContext({ ...(ca !== undefined && { ca: [...rootCertificates, ca] }), ...clientCertificate });
  } catch (error) {
    // No cause: what OpenSSL says of a private key stays here.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault';
    const found = `its certificates or key cannot be read (${code})`;
    throw new TallymanError('ConfigInvalid', `Cannot reach registry "${name}": ${found}, PEM that fits was wanted`, {
      remedy: 'Correct the files of caFile and clientCertificate under `registries` in the configuration.',
    });
  }
}

/** Keeps the things used last, by what they are made of. */
interface Kept<T> {
  keep(key: readonly unknown[], create: () => T): T;
  list(): readonly T[];
}

function createKept<T>(max: number, drop: (thing: T) => void = () => {}): Kept<T> {
  const things = new Map<string, T>();
  return {
    keep: (parts, create) => {
      const key = JSON.stringify(parts);
      const thing = things.get(key) ?? create();
      things.delete(key);
      things.set(key, thing);
      const [oldest] = things;
      if (things.size > max && oldest !== undefined) {
        things.delete(oldest[0]);
        drop(oldest[1]);
      }
      return thing;
    },
    list: () => [...things.values()],
  };
}
