/** Where a registry may send the client next, by a redirect or by the realm of a challenge. */
import { type AddressScope, findAddressScope } from './address.ts';
import { quote } from './quote.ts';

/** From a host of one scope, only hosts of the same or a wider reach may follow. */
const reach: Readonly<Record<AddressScope, number>> = { public: 0, private: 1, loopback: 2, 'link-local': 3 };

/**
 * Why the client does not go there, or undefined where it may: no other scheme than HTTP, no fall from HTTPS to plain
 * HTTP, and no way from outside to this machine, its network or a cloud's metadata server, unless it is the same host
 * or one of `trustedOrigins`, which are taken as the operator wrote them. What a name resolves to is looked at when the
 * connection is made.
 *
 * @example
 * findHopFault(new URL('https://ghcr.io/v2/'), new URL('http://ghcr.io/v2/')) // 'it leads from https to http'
 */
export function findHopFault(from: URL, to: URL, trustedOrigins: readonly string[] = []): string | undefined {
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return `its scheme is "${quote(to.protocol, 20)}"`;
  if (trustedOrigins.includes(to.origin)) return undefined;
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'it leads from https to http';
  if (from.hostname === to.hostname) return undefined;
  const scope = findAddressScope(to.hostname);
  if (mayLead(findAddressScope(from.hostname), scope)) return undefined;
  return `it leads to the ${scope} address "${quote(to.hostname, 80)}"`;
}

/** Whether a host of the one scope may lead to another host of the other. */
export function mayLead(from: AddressScope, to: AddressScope): boolean {
  return to !== 'link-local' && reach[to] <= reach[from];
}
