/** Turns what undici, Node's sockets and TLS throw into our errors: the one place that knows their codes. */
import type { ErrorCode } from '../error/catalogue.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { AddressScope } from './address.ts';
import { quote } from './quote.ts';

/** A request that got no answer. */
export interface Failure {
  readonly error: TallymanError;
  /** Whether the same request may well succeed a moment later. */
  readonly transient: boolean;
}

/** The name of a host that another one led to resolves to nothing but addresses that it must not lead to. */
export class GuardFault extends Error {
  readonly hostname: string;
  readonly scope: AddressScope;

  constructor(hostname: string, scope: AddressScope) {
    super(`${hostname} resolves to a ${scope} address`);
    this.hostname = hostname;
    this.scope = scope;
  }
}

/** A proxy that is not reached (`cause`) or does not let the request through (`status`). */
export class ProxyFault extends Error {
  /** `proxy.example.com:3128` */
  readonly host: string;
  readonly status: number | undefined;

  constructor(host: string, about: { status?: number; cause?: unknown }) {
    super(`the proxy ${host} gave no way`, about.cause === undefined ? undefined : { cause: about.cause });
    this.host = host;
    this.status = about.status;
  }
}

interface Reading {
  readonly found: string;
  readonly transient: boolean;
  readonly code?: ErrorCode;
  readonly remedy?: string;
}

const readings: Readonly<Record<string, Reading>> = {
  ECONNREFUSED: { found: 'the connection was refused', transient: true },
  ECONNRESET: { found: 'the connection was cut', transient: true },
  EPIPE: { found: 'the connection was cut', transient: true },
  UND_ERR_SOCKET: { found: 'the connection was cut', transient: true },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { found: 'the answer was cut short', transient: true },
  ETIMEDOUT: { found: 'no connection came about in time', transient: true },
  UND_ERR_CONNECT_TIMEOUT: { found: 'no connection came about in time', transient: true },
  UND_ERR_HEADERS_TIMEOUT: { found: 'no answer began in time', transient: true },
  UND_ERR_BODY_TIMEOUT: { found: 'the answer stopped half-way', transient: true },
  EHOSTUNREACH: { found: 'there is no way to the host', transient: true },
  ENETUNREACH: { found: 'there is no way to the network', transient: true },
  EAI_AGAIN: { found: 'the name server did not answer', transient: true },
  ENOTFOUND: { found: 'the host name does not resolve', transient: false },
  UND_ERR_HEADERS_OVERFLOW: { found: 'the headers are too long', transient: false, code: 'RegistryInvalid' },
};

const badlyPacked: Reading = { found: 'the answer is packed wrongly', transient: false, code: 'RegistryInvalid' };
const noClientCertificate: Reading = {
  found: 'the host refuses the TLS handshake, as where it wants another client certificate',
  transient: false,
  remedy: 'Give clientCertificate for the host under `registries` in the configuration.',
};
const notHttp: Reading = { found: 'the answer is not HTTP', transient: false, code: 'RegistryInvalid' };
const notTls: Reading = {
  found: 'the host speaks no TLS there',
  transient: false,
  remedy: 'Set plainHttp for the host under `registries` in the configuration, if it is to be reached without TLS.',
};
const untrusted: Reading = {
  found: 'its TLS certificate is not trusted',
  transient: false,
  remedy: 'Give the certificate authority of the host as `caFile` under `registries` in the configuration.',
};

/** The failure of a request to `host` while doing `task` (`list the tags of "ghcr.io/acme/web"`). */
export function translateFailure(cause: unknown, { task, host }: { task: string; host: string }): Failure {
  if (cause instanceof TallymanError) return { error: cause, transient: cause.code === 'RegistryUnavailable' };
  if (cause instanceof GuardFault) return { error: toGuardError(cause, task), transient: false };
  if (cause instanceof ProxyFault) return translateProxyFault(cause, { task, host });
  const code = findCode(cause);
  const reading = readCode(code);
  const message = `Cannot ${task}: ${reading.found} (${joinParts(host, code)}), an answer was wanted`;
  const error = new TallymanError(reading.code ?? 'RegistryUnavailable', message, {
    // What the HTTP parser throws carries the raw answer, with whatever the registry put into it.
    cause: reading === notHttp ? undefined : cause,
    remedy: reading.remedy,
  });
  return { error, transient: reading.transient };
}

function toGuardError({ hostname, scope }: GuardFault, task: string): TallymanError {
  const found = `"${quote(hostname, 80)}", where the registry leads to, has a ${scope} address`;
  return new TallymanError(
    'RegistryInvalid',
    `Cannot ${task}: ${found}, one as open as the registry's own was wanted`,
    {
      remedy:
        'Add its origin to trustedOrigins of the registry under `registries` in the configuration, if it is yours.',
    },
  );
}

/** The proxy's own words stay out of it: it may repeat the password that it was sent. */
function translateProxyFault(fault: ProxyFault, { task, host }: { task: string; host: string }): Failure {
  const { status, cause } = fault;
  const proxy = quote(fault.host, 80);
  const fail = (found: string, remedy: string): TallymanError =>
    new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, an answer of "${host}" was wanted`, {
      cause,
      remedy,
    });
  if (status === 407) {
    const remedy = 'Put the user and password that the proxy wants into HTTPS_PROXY or HTTP_PROXY.';
    return { error: fail(`the proxy "${proxy}" wants another sign-in (407)`, remedy), transient: false };
  }
  const remedy = 'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and that the proxy lets this host through.';
  if (status !== undefined)
    return { error: fail(`the proxy "${proxy}" gives no way there (${status})`, remedy), transient: status >= 500 };
  const code = findCode(cause);
  const reading = readCode(code);
  return {
    error: fail(`the proxy is not reached, ${reading.found} (${joinParts(proxy, code)})`, remedy),
    transient: reading.transient,
  };
}

function joinParts(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(', ');
}

function readCode(code: string): Reading {
  const known = Object.hasOwn(readings, code) ? readings[code] : undefined;
  if (known !== undefined) return known;
  if (code === 'HPE') return notHttp;
  if (code.startsWith('Z_')) return badlyPacked;
  // Alerts are sent by a TLS server: those about a certificate mean the client's. TLS 1.2 has a general one only.
  if (/^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/.test(code))
    return noClientCertificate;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return notTls;
  if (/CERT|^UNABLE_TO_|^ERR_TLS_/.test(code)) return untrusted;
  return { found: 'the request failed', transient: true };
}

function findCode(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'ETIMEDOUT';
  // undici leaves the parser's code out of some of these.
  if (error instanceof Error && error.name === 'HTTPParserError') return 'HPE';
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
