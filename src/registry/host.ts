/** Where a registry's API is, and how to reach it. */
import { TallymanError } from '../error/tallyman-error.ts';
import { findAddressScope } from './address.ts';

/** A user of a registry. A robot's token goes in as the password. */
export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** What the operator says about one registry host. */
export interface HostSettings {
  /** HTTP without TLS; default: only where the host is this machine (`localhost`, 127.0.0.0/8, `[::1]`). */
  readonly plainHttp?: boolean | undefined;
  /** Signs in to the host; without it, only what everybody may pull can be read. */
  readonly credential?: Credential | undefined;
  /** Certificates in PEM, trusted besides the well-known ones. */
  readonly ca?: string | undefined;
  /** Most pages of one tag listing; default 500. Beyond it: ListingTruncated. */
  readonly maxPages?: number | undefined;
}

/** A host with its settings. `{ name: 'docker.io', origin: 'https://registry-1.docker.io', settings: {} }` */
export interface RegistryHost {
  /** As in image references. */
  readonly name: string;
  readonly origin: string;
  readonly settings: HostSettings;
}

/** Docker Hub's API does not live under the name that its images carry. */
const apiHosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** The host's API root; throws ReferenceInvalid where it can be none. `name` is the host of an image reference, with its port where it has one. */
export function resolveRegistryHost(name: string, settings: HostSettings): RegistryHost {
  const apiHost = Object.hasOwn(apiHosts, name) ? apiHosts[name] : name;
  // The grammar of references lets pass what is no host: a port above 65535, brackets around no address.
  if (!URL.canParse(`https://${apiHost}`)) {
    const found = 'it is no host name or address with a port up to 65535';
    throw new TallymanError('ReferenceInvalid', `Cannot reach registry "${name}": ${found}, one was wanted`);
  }
  const { hostname } = new URL(`https://${apiHost}`);
  const plain = settings.plainHttp ?? findAddressScope(hostname) === 'loopback';
  return { name, origin: new URL(`${plain ? 'http' : 'https'}://${apiHost}`).origin, settings };
}
