/** Every failure of a forge becomes a TallymanError here, in our own words. */
import { findCode } from '../error/find-code.ts';
import { printable } from '../error/printable.ts';
import { TallymanError } from '../error/tallyman-error.ts';

/** What was being done, and with whom: `{ task: 'open a pull request in "acme/deploy"', host: 'github.com' }` */
export interface ForgeTask {
  readonly task: string;
  readonly host: string;
}

export function forgeUnavailable({ task }: ForgeTask, found: string, cause?: unknown): TallymanError {
  return new TallymanError('ForgeUnavailable', `Cannot ${task}: ${found}`, { cause });
}

export function forgeInvalid({ task }: ForgeTask, found: string, remedy?: string): TallymanError {
  return new TallymanError('ForgeInvalid', `Cannot ${task}: ${found}`, { remedy });
}

/** The failure that a status stands for; `said` is what the forge said of it, already fit to be shown. */
export function fromForgeStatus(status: number, about: ForgeTask & { said: string }): TallymanError {
  const words = about.said === '' ? '' : `, it said "${about.said}"`;
  const answered = `"${about.host}" answered ${status}${words}`;
  if (status === 401)
    return new TallymanError('ForgeDenied', `Cannot ${about.task}: ${answered}, a valid token was wanted`);
  if (status === 403)
    return new TallymanError('ForgeDenied', `Cannot ${about.task}: ${answered}, a token that may do this was wanted`);
  if (status === 404)
    return new TallymanError(
      'ForgeDenied',
      `Cannot ${about.task}: ${answered}, a repository that the token may see was wanted`,
    );
  if (status === 408 || status === 429 || status >= 500)
    return forgeUnavailable(about, `${answered}, a success was wanted`);
  return forgeInvalid(about, `${answered}, a success was wanted`);
}

const networkWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'the connection was not made in time',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** The failure of a connection. The cause's own message is not shown: it can hold addresses and headers. */
export function fromForgeNetwork(cause: unknown, about: ForgeTask): TallymanError {
  if (cause instanceof TallymanError) return cause;
  const code = findCode(cause) ?? 'no reason given';
  const words = networkWords[code] ?? 'the connection failed';
  return forgeUnavailable(about, `"${about.host}" is not reached, ${words} (${code}), an answer was wanted`, cause);
}

/** What a forge says of an error, on one line and without the secrets; empty where it says nothing that can be read. */
export function findSaid(json: unknown, secrets: readonly string[]): string {
  const texts = listTexts(json, 0).join('; ');
  const bare = secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, '…'), texts);
  return printable(bare.replace(/\s+/g, ' '), 300);
}

/** GitHub and Gitea: `{ message, errors: [{ message }] }`; GitLab: `{ message: text, list or lists by field }` or `{ error }`. */
function listTexts(json: unknown, depth: number): readonly string[] {
  if (typeof json === 'string') return [json];
  if (depth > 3 || typeof json !== 'object' || json === null) return [];
  if (Array.isArray(json)) return json.slice(0, 5).flatMap((part) => listTexts(part, depth + 1));
  const told = Object.entries(json).filter(
    ([name]) => depth > 0 || ['message', 'errors', 'error', 'error_description'].includes(name),
  );
  const wanted = told.some(([name]) => name === 'message') ? told.filter(([name]) => isTelling(name)) : told;
  return wanted.slice(0, 5).flatMap(([, value]) => listTexts(value, depth + 1));
}

function isTelling(name: string): boolean {
  return name === 'message' || name === 'errors';
}
