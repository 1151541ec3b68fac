/** Signs in to the registries of clouds with the identity that the cloud gives to this process. */
import type { ImageRepository } from '../../image/reference.ts';
import { type CloudProvider, type HostSettings, resolveRegistryHost } from '../host.ts';
import { quote } from '../quote.ts';
import { createAcrExchange } from './acr.ts';
import { createArtifactRegistryExchange } from './artifact-registry.ts';
import type { CloudTools } from './ask.ts';
import type { CloudExchange } from './cloud-exchange.ts';
import type { CredentialSource } from './credential.ts';
import { createEcrExchange } from './ecr.ts';
import { createLeases } from './lease.ts';

/** The clouds; another one is a file and a row here. */
const factories: Readonly<Record<CloudProvider, () => CloudExchange>> = {
  ecr: createEcrExchange,
  'artifact-registry': createArtifactRegistryExchange,
  acr: createAcrExchange,
};

export interface CloudSourceOptions extends CloudTools {
  /** The settings of a host of image references; asked at each call. */
  readonly hosts: (host: string) => HostSettings;
}

/**
 * Finds credentials for the registries of all clouds, by the host's `provider` or else by the name of the host where its
 * API is. undefined for other hosts, and where the environment offers no identity. One exchange is shared by all that it
 * serves; its token is kept until shortly before its end.
 */
export function createCloudSource({ hosts, ...tools }: CloudSourceOptions): CredentialSource {
  const leases = createLeases(tools);
  const exchanges = new Map(Object.entries(factories).map(([name, create]) => [name, create()]));

  function findPlace(repository: ImageRepository) {
    const settings = hosts(repository.host);
    const host = resolveRegistryHost(repository.host, settings);
    const registry = new URL(host.origin);
    const provider = settings.provider ?? findProvider(registry);
    const exchange = exchanges.get(provider ?? 'none');
    if (exchange === undefined) return undefined;
    return { host, registry, exchange, key: `${provider} ${exchange.keyOf(registry, tools)}` };
  }

  /** Only over HTTPS: what a name promises, nobody proves without. */
  function findProvider(registry: URL): string | undefined {
    if (registry.protocol !== 'https:') return undefined;
    return [...exchanges].find(([, exchange]) => exchange.isAt(registry))?.[0];
  }

  return {
    find: async (repository, { signal }) => {
      const place = findPlace(repository);
      if (place === undefined) return undefined;
      const { host, registry, exchange, key } = place;
      const task = `sign in to "${quote(host.name, 120)}"`;
      return leases.obtain(key, { task, signal }, (flightSignal) =>
        exchange.borrow({ ...tools, task, signal: flightSignal }, { registry, host }),
      );
    },
    forget: (repository) => {
      const place = findPlace(repository);
      if (place !== undefined) leases.drop(place.key);
    },
  };
}
