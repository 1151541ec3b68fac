/** Keeps the credentials of a registry from its mirror. */
import type { ImageRepository } from '../../image/reference.ts';
import type { HostSettings } from '../host.ts';
import type { CredentialSource } from './credential.ts';

/**
 * The source, asked for the host that requests go to: where the settings name an endpoint, its credentials count, not those
 * of the host that images name. Source: OCI distribution-spec, "Registry Proxying".
 */
export function createEndpointSource(
  hosts: (host: string) => HostSettings,
  source: CredentialSource,
): CredentialSource {
  const locate = (repository: ImageRepository): ImageRepository => {
    const { endpoint } = hosts(repository.host);
    return endpoint === undefined ? repository : { ...repository, host: new URL(endpoint).host };
  };
  return {
    find: (repository, options) => source.find(locate(repository), options),
    forget: (repository) => source.forget(locate(repository)),
    another: (repository, refused) => source.another?.(locate(repository), refused) === true,
    doubt: () => source.doubt?.(),
  };
}
