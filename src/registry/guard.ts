/** Keeps a registry from leading the client, by a name, to where it must not go by an address. */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { type AddressScope, findAddressScope } from './address.ts';
import { GuardFault } from './failure.ts';
import { mayLead } from './hop.ts';

/**
 * A `lookup` for sockets that leaves out the addresses which `originHostname` may not lead to; fails with a GuardFault
 * where none is left. The connection is made to what was looked at, so a name that changes its mind gains nothing.
 *
 * The origin's reach is that which all its own addresses have: a registry on a private network may lead to its token
 * server there, but one private address beside a public one, which anybody may put in a name, opens nothing.
 */
export function createGuardedLookup(originHostname: string, lookup: LookupFunction = systemLookup): LookupFunction {
  async function findAllowed(hostname: string, options: LookupOptions): Promise<readonly LookupAddress[]> {
    const [addresses, ownScopes] = await Promise.all([
      lookUpAll(lookup, hostname, options),
      findOwnScopes(originHostname, lookup),
    ]);
    const allowed = addresses.filter(({ address }) =>
      ownScopes.every((own) => mayLead(own, findAddressScope(address))),
    );
    if (allowed.length > 0) return allowed;
    throw new GuardFault(hostname, findAddressScope(addresses[0]?.address ?? ''));
  }

  return (hostname, options, callback) => {
    findAllowed(hostname, options).then(
      (allowed) => {
        if (options.all === true) callback(null, [...allowed]);
        else callback(null, allowed[0]?.address ?? '', allowed[0]?.family);
      },
      (error) => callback(error, ''),
    );
  };
}

/** Where the origin's own name does not resolve from here, it leads to what everybody may reach. */
async function findOwnScopes(hostname: string, lookup: LookupFunction): Promise<readonly AddressScope[]> {
  const named = findAddressScope(hostname);
  if (named !== 'public') return [named];
  const addresses = await lookUpAll(lookup, hostname.replace(/^\[|\]$/g, ''), {}).catch(() => []);
  return addresses.length === 0 ? [named] : addresses.map(({ address }) => findAddressScope(address));
}

function lookUpAll(lookup: LookupFunction, hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) reject(error);
      else resolve(Array.isArray(found) ? found : [{ address: found, family: found.includes(':') ? 6 : 4 }]);
    });
  });
}
