/** The transport for a repository's address: HTTP or SSH. */
import { isSshAddress } from '../address/ssh-address.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { createHttpTransport, type HttpTransportOptions } from './http-transport.ts';
import type { SshAccess } from './ssh-login-key.ts';
import { createSshTransport } from './ssh-transport.ts';
import type { GitTransport } from './transport.ts';
import type { TimeLimits } from './watchdog.ts';

/** How a server is reached, and by whom. */
export interface TransportSettings
  extends Pick<HttpTransportOptions, 'credential' | 'refuseCredential' | 'tls' | 'proxy' | 'checkWrite'> {
  /** For an SSH address; asked for each connection, so that changed files work at once. */
  readonly ssh?: (() => SshAccess) | undefined;
}

interface AnswerLimits extends TimeLimits {
  readonly maxAnswerBytes: number;
}

/** Nothing is contacted yet; throws RepoInvalid for an address that is none, ConfigInvalid where SSH has no key. */
export function createTransport(url: string, settings: TransportSettings, limits: AnswerLimits): GitTransport {
  const { ssh: access, checkWrite, ...http } = settings;
  if (!isSshAddress(url)) return createHttpTransport({ url, ...http, checkWrite, ...limits });
  if (access !== undefined) return createSshTransport({ url, access, checkWrite, ...limits });
  throw new TallymanError(
    'ConfigInvalid',
    'Cannot use an SSH address of a Yaml repo: no `ssh` is set for it, one was wanted',
    {
      remedy:
        'Give the repository `ssh: { keyFile, knownHostsFile }`, or `ssh: { secret }`, under `repos` in the configuration.',
    },
  );
}
