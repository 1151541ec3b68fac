/** What each cloud's exchange of identities for registry credentials looks like. */
import type { RegistryHost } from '../host.ts';
import type { SignIn } from './ask.ts';
import type { Lease } from './lease.ts';

export interface CloudExchange {
  /** Whether the registry's API is at this cloud, by its host's name. */
  isAt(registry: URL): boolean;
  /** Registries with the same key share one credential. */
  keyOf(registry: URL, tools: Pick<SignIn, 'env'>): string;
  /**
   * A credential for the registry; undefined where the environment offers no identity. Throws RegistryDenied,
   * RegistryUnavailable, RegistryInvalid.
   */
  borrow(signIn: SignIn, about: { registry: URL; host: RegistryHost }): Promise<Lease | undefined>;
}
