/** Tells this machine's and the local network's addresses from the rest of the world. */
import { BlockList, isIP } from 'node:net';

/** How far an address reaches. Names that are no addresses are `public`: what they resolve to is not looked at. */
export type AddressScope = 'public' | 'private' | 'loopback' | 'link-local';

type Subnet = readonly [network: string, prefix: number];

/** IANA special-purpose address registries (RFC 6890 and its successors). */
const subnets: Readonly<Record<Exclude<AddressScope, 'public'>, readonly Subnet[]>> = {
  loopback: [
    ['127.0.0.0', 8],
    ['0.0.0.0', 8],
    ['::1', 128],
    ['::', 128],
  ],
  // Also where clouds keep their metadata servers, and what is no single host: multicast and reserved.
  'link-local': [
    ['169.254.0.0', 16],
    ['224.0.0.0', 3],
    ['fe80::', 10],
    ['ff00::', 8],
  ],
  private: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['100.64.0.0', 10],
    ['198.18.0.0', 15],
    ['fc00::', 7],
    // NAT64 with a prefix of one's own (RFC 8215).
    ['64:ff9b:1::', 48],
  ],
};

/** NAT64 (RFC 6052): the last four bytes are an IPv4 address, and are what is reached. */
const translated = /^64:ff9b::(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/;

const lists = Object.entries(subnets).map(([scope, networks]) => {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, familyOf(network));
  return { scope: scope as AddressScope, list };
});

/**
 * The scope of a URL's `hostname` (IPv6 in brackets); `localhost` and names under it are `loopback` (RFC 6761).
 *
 * @example
 * findAddressScope('169.254.169.254') // 'link-local'
 */
export function findAddressScope(hostname: string): AddressScope {
  // Resolved addresses may name a zone: fe80::1%eth0
  const name = hostname.replace(/^\[|\]$/g, '').replace(/\.$|%.*$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback';
  if (isIP(name) === 0) return 'public';
  const inner = findTranslated(name);
  if (inner !== undefined) return findAddressScope(inner);
  return lists.find(({ list }) => list.check(name, familyOf(name)))?.scope ?? 'public';
}

function findTranslated(address: string): string | undefined {
  if (familyOf(address) === 'ipv4') return undefined;
  // A URL writes each address in one way only.
  const [, high = '0', low] = translated.exec(new URL(`http://[${address}]`).hostname.slice(1, -1)) ?? [];
  if (low === undefined) return undefined;
  const [left, right] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [left >> 8, left & 255, right >> 8, right & 255].join('.');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
