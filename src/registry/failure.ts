/** Turns what undici, Node's sockets and TLS throw into our errors: the one place that knows their codes. */
import type { ErrorCode } from '../error/catalogue.ts';
import { TallymanError } from '../error/tallyman-error.ts';

/** A request that got no answer. */
export interface Failure {
  readonly error: TallymanError;
  /** Whether the same request may well succeed a moment later. */
  readonly transient: boolean;
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
  const code = findCode(cause);
  const reading = readCode(code);
  const message = `Cannot ${task}: ${reading.found} (${[host, code].filter((part) => part !== '').join(', ')}), an answer was wanted`;
  const error = new TallymanError(reading.code ?? 'RegistryUnavailable', message, {
    // What the HTTP parser throws carries the raw answer, with whatever the registry put into it.
    cause: reading === notHttp ? undefined : cause,
    remedy: reading.remedy,
  });
  return { error, transient: reading.transient };
}

function readCode(code: string): Reading {
  const known = Object.hasOwn(readings, code) ? readings[code] : undefined;
  if (known !== undefined) return known;
  if (code === 'HPE') return notHttp;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return notTls;
  if (/CERT|^UNABLE_TO_|^ERR_TLS_/.test(code)) return untrusted;
  return { found: 'the request failed', transient: true };
}

function findCode(error: unknown): string {
  // undici leaves the parser's code out of some of these.
  if (error instanceof Error && error.name === 'HTTPParserError') return 'HPE';
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
