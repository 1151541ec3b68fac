/** Whether an SSH server is who it should be: by the known_hosts file alone, never on first sight. */
import type { SshAddress } from '../address/ssh-address.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { formatFingerprint, formatServer, judgeHostKey, type KnownKeys, keyTypeOf } from './known-hosts.ts';

interface Server {
  readonly known: KnownKeys;
  readonly address: SshAddress;
  readonly shownUrl: string;
  /** Name of the known_hosts file. */
  readonly file: string;
}

/** Why the server is not to be trusted, with its fingerprint and what to do; undefined where it is. */
export function judgeServer(key: Buffer, { known, address, shownUrl, file }: Server): TallymanError | undefined {
  const name = formatServer(address);
  const type = keyTypeOf(key);
  const shown = `${type} ${formatFingerprint(key)}`;
  const scan = `ssh-keyscan -t ${type.replace(/^ssh-|-.*$/g, '')} -p ${address.port} ${address.host}`;
  const deny = (found: string, remedy: string): TallymanError =>
    new TallymanError(
      'RepoDenied',
      `Cannot trust the server of Yaml repo "${shownUrl}": ${found}, a known key was wanted`,
      {
        remedy,
      },
    );
  switch (judgeHostKey(known, key)) {
    case 'known':
      return undefined;
    case 'unknown':
      return deny(
        `"${file}" has no key for "${name}", which shows ${shown}`,
        `If the server's owner publishes this fingerprint, run \`${scan}\` and add the line that it prints to "${file}".`,
      );
    case 'authority':
      return deny(
        `"${file}" has only a @cert-authority for "${name}", which is not supported; the server shows ${shown}`,
        `If the server's owner publishes this fingerprint, run \`${scan}\` and add the line that it prints to "${file}".`,
      );
    case 'changed':
      return deny(
        `"${name}" shows ${shown}, "${file}" has ${known.trusted.map((other) => `${keyTypeOf(other)} ${formatFingerprint(other)}`).join(' and ')}: somebody may be in between`,
        `Ask the server's owner whether its key has changed; only if so, replace the lines of "${name}" in "${file}" by what \`${scan}\` prints.`,
      );
    case 'revoked':
      return deny(
        `"${name}" shows ${shown}, which "${file}" marks as @revoked`,
        'Give no access to this server until its owner has replaced the key, then add the new one to the file.',
      );
  }
}
