/** Which HTTP proxy a URL is asked through, by the environment variables that curl and others read. */
import { BlockList, isIP } from 'node:net';
import { TallymanError } from '../error/tallyman-error.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The proxy's address, with user and password where the variable has them; undefined where the URL is asked straight.
 * Lower-case variables win, as in curl. Throws ConfigInvalid for an address that is none, naming the variable alone: it
 * may hold a password.
 *
 * @example
 * findProxy(new URL('https://ghcr.io/v2/'), { HTTPS_PROXY: 'proxy.example.com:3128' }) // 'http://proxy.example.com:3128'
 */
export function findProxy(url: URL, env: Env): string | undefined {
  if (neverProxied(url) || isExempt(url, env.no_proxy || env.NO_PROXY || '')) return undefined;
  const name = listVariables(url, env).find((variable) => (env[variable] ?? '').trim() !== '');
  return name === undefined ? undefined : parseProxy(name, (env[name] ?? '').trim());
}

function listVariables({ protocol }: URL, env: Env): readonly string[] {
  const all = ['all_proxy', 'ALL_PROXY'];
  if (protocol === 'https:') return ['https_proxy', 'HTTPS_PROXY', ...all];
  // A CGI server puts the request's header `Proxy` there ("httpoxy", CVE-2016-5385).
  return env.REQUEST_METHOD === undefined ? ['http_proxy', 'HTTP_PROXY', ...all] : ['http_proxy', ...all];
}

function parseProxy(variable: string, text: string): string {
  const address = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '')
    return url.href.replace(/\/$/, '');
  const found = 'it holds no address of an HTTP proxy';
  throw new TallymanError('ConfigInvalid', `Cannot use "${variable}": ${found}, http://host:port was wanted`, {
    remedy: 'Correct the environment variable, or unset it.',
  });
}

const local = new BlockList();
local.addSubnet('127.0.0.0', 8, 'ipv4');
local.addAddress('::1', 'ipv6');
// Nothing beyond this link has these; a cloud's metadata server, which knows this machine by them, is among them.
local.addSubnet('169.254.0.0', 16, 'ipv4');
local.addSubnet('fe80::', 10, 'ipv6');
// Where AWS has them on IPv6.
local.addSubnet('fd00:ec2::', 32, 'ipv6');

function neverProxied(url: URL): boolean {
  const name = hostOf(url);
  if (name === 'localhost' || name.endsWith('.localhost') || name === 'metadata.google.internal') return true;
  return isIP(name) !== 0 && local.check(name, familyOf(name));
}

/** The URL's host as it is compared: without brackets and without a dot at its end. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function isExempt(url: URL, list: string): boolean {
  const entries = list.toLowerCase().split(/[\s,]+/);
  return entries.filter((entry) => entry !== '').some((entry) => matches(url, entry));
}

/** `*`, `example.com`, `.example.com`, `*.example.com`, `10.0.0.1`, `[::1]`, each with or without a port, or `10.0.0.0/8`. */
function matches(url: URL, entry: string): boolean {
  if (entry === '*') return true;
  const host = hostOf(url);
  if (entry.includes('/')) return isInSubnet(host, entry);
  const { name, port } = splitPort(entry);
  if (port !== undefined && port !== portOf(url)) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return isSameAddress(host, name);
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
}

function splitPort(entry: string): { name: string; port: string | undefined } {
  if (isIP(entry) === 6) return { name: entry, port: undefined };
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return { name: bracketed ?? plain ?? '', port };
}

function portOf({ port, protocol }: URL): string {
  if (port !== '') return port;
  return protocol === 'https:' ? '443' : '80';
}

/** An address may be written in several ways. */
function isSameAddress(host: string, name: string): boolean {
  if (isIP(host) === 0 || isIP(name) === 0) return false;
  const list = new BlockList();
  list.addAddress(name, familyOf(name));
  return list.check(host, familyOf(host));
}

function isInSubnet(host: string, subnet: string): boolean {
  const [, network = '', digits] = /^\[?([^[\]/]*)\]?\/(\d{1,3})$/.exec(subnet) ?? [];
  const prefix = Number(digits);
  if (isIP(host) === 0 || isIP(network) === 0 || prefix > (isIP(network) === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, familyOf(network));
  return list.check(host, familyOf(host));
}
