import type { HostSettings } from '../host.ts';
import type { CredentialSource } from './credential.ts';

/** What the operator wrote for the host. */
export function createConfiguredSource(hosts: (host: string) => HostSettings): CredentialSource {
  return {
    find: async ({ host }) => hosts(host).credential,
    forget: () => {},
  };
}
