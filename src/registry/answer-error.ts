/** Says what an answer that is no success means. */
import type { ErrorCode } from '../error/catalogue.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Credential } from './credentials/credential.ts';
import type { HttpAnswer } from './http.ts';
import { quote } from './quote.ts';
import { isTransientStatus } from './retry.ts';

interface About {
  /** What was being done: `list the tags of "ghcr.io/acme/web"` */
  readonly task: string;
  /** What the host may have been sent. */
  readonly credential: Credential | undefined;
}

const deniedCodes: readonly string[] = ['DENIED', 'UNAUTHORIZED'];
const missingCodes: readonly string[] = ['NAME_UNKNOWN', 'MANIFEST_UNKNOWN'];

/**
 * The error of an answer to a request for a repository: RegistryDenied, ImageNotFound, RegistryUnavailable or, for
 * whatever a registry should not say here, RegistryInvalid. Registries hide what may not be seen behind 404 as well as
 * what is missing behind 401, so both messages name both.
 */
export function toAnswerError(answer: HttpAnswer, { task, credential }: About): TallymanError {
  const code = findCode(answer);
  const credentials = credential !== undefined ? 'with the credentials configured for the host' : 'without credentials';
  const reading: Readonly<Record<string, string>> = {
    RegistryDenied: `: it may not be pulled ${credentials}, or does not exist, permission to pull was wanted`,
    ImageNotFound: `: it does not exist, or may not be seen ${credentials}, one that can be pulled was wanted`,
  };
  const found = `the registry answered ${formatStatus(answer)}`;
  const remedy = code === 'RegistryDenied' ? describeRefused(credential) : undefined;
  return new TallymanError(code, `Cannot ${task}: ${found}${reading[code] ?? ', 200 was wanted'}`, { remedy });
}

/** The remedy for credentials that were sent and refused; undefined where there are none. */
export function describeRefused(credential: Credential | undefined): string | undefined {
  if (credential === undefined) return undefined;
  if (credential.origin !== undefined)
    return `Correct ${credential.origin}, or let its credentials pull this repository: those sent were refused.`;
  const user = 'username' in credential && credential.username ? ` of user "${quote(credential.username, 80)}"` : '';
  return `Correct the credentials${user} where they come from, \`registries\` or \`credentialSources\` in the configuration, or let them pull this repository: those sent were refused.`;
}

/** `404 (NAME_UNKNOWN: repository name not known)` */
export function formatStatus({ status, complaint }: HttpAnswer): string {
  return complaint.text === '' ? `${status}` : `${status} (${complaint.text})`;
}

function findCode({ status, complaint }: HttpAnswer): ErrorCode {
  if (isTransientStatus(status)) return 'RegistryUnavailable';
  if (status === 401 || status === 403 || complaint.codes.some((code) => deniedCodes.includes(code)))
    return 'RegistryDenied';
  if (status === 404 || complaint.codes.some((code) => missingCodes.includes(code))) return 'ImageNotFound';
  return status >= 500 ? 'RegistryUnavailable' : 'RegistryInvalid';
}
