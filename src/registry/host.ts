/** Where a registry's API is, and how to reach it. */
import { TallymanError } from '../error/tallyman-error.ts';
import { findAddressScope } from './address.ts';
import type { Credential } from './credentials/credential.ts';

/** What the operator says about one registry host. */
export interface HostSettings {
  /** HTTP without TLS; default: only where the host is this machine (`localhost`, 127.0.0.0/8, `[::1]`). */
  readonly plainHttp?: boolean | undefined;
  /** Origin that is asked instead of the host itself: a mirror. Other credentials than `credential` are its own. `https://mirror.example.com` */
  readonly endpoint?: string | undefined;
  /** Signs in to the host; without it, the other sources of credentials are asked. */
  readonly credential?: Credential | undefined;
  /** Certificates in PEM, trusted besides the well-known ones. */
  readonly ca?: string | undefined;
  /** What the client shows of itself, both in PEM. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Origins that a challenge or a redirect of this host may lead to although its reach is another: `http://10.0.0.7:3000` */
  readonly trustedOrigins?: readonly string[] | undefined;
  /** The cloud whose token exchange signs in; default: by the host's name. */
  readonly provider?: CloudProvider | 'none' | undefined;
  /** Requests in flight to the host; default 8. */
  readonly maxInFlight?: number | undefined;
  /** Most requests in a second, averaged over a few seconds; default no limit. */
  readonly requestsPerSecond?: number | undefined;
  /** Manifests are not fetched while the registry says that no more pulls than this are left; default 10. */
  readonly minPullsLeft?: number | undefined;
  /** Most pages of one tag listing; default 500. Beyond it: ListingTruncated. */
  readonly maxPages?: number | undefined;
}

/** Clouds with an exchange of their own for registry tokens. */
export type CloudProvider = 'ecr' | 'artifact-registry' | 'acr';

/** A host with its settings. `{ name: 'docker.io', origin: 'https://registry-1.docker.io', settings: {}, credential: undefined }` */
export interface RegistryHost {
  /** As in image references. */
  readonly name: string;
  readonly origin: string;
  readonly settings: HostSettings;
  /** What signs in for the repository at hand. */
  readonly credential: Credential | undefined;
}

/** Docker Hub's API does not live under the name that its images carry. */
const apiHosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** The host's API root; throws ReferenceInvalid where it can be none. `name` is the host of an image reference, with its port where it has one. */
export function resolveRegistryHost(name: string, settings: HostSettings, credential?: Credential): RegistryHost {
  if (settings.endpoint !== undefined) return { name, origin: new URL(settings.endpoint).origin, settings, credential };
  const apiHost = Object.hasOwn(apiHosts, name) ? apiHosts[name] : name;
  // The grammar of references lets pass what is no host: a port above 65535, brackets around no address.
  if (!URL.canParse(`https://${apiHost}`)) {
    const found = 'it is no host name or address with a port up to 65535';
    throw new TallymanError('ReferenceInvalid', `Cannot reach registry "${name}": ${found}, one was wanted`);
  }
  const { hostname } = new URL(`https://${apiHost}`);
  const plain = settings.plainHttp ?? findAddressScope(hostname) === 'loopback';
  return { name, origin: new URL(`${plain ? 'http' : 'https'}://${apiHost}`).origin, settings, credential };
}
