/** The secrets of a Yaml repo, read anew at each use so that changed ones work at once. */
import { TallymanError } from '../error/tallyman-error.ts';
import { readKey, readSecret, readText } from './read-secret.ts';
import type { RepoCredentialsConfig, SshConfig } from './repo-schema.ts';

/** What GitHub documents for tokens; other forges take any name there. */
const tokenUser = 'x-access-token';

/** User and password, or token; throws `ConfigInvalid`. */
export function readRepoCredential(
  { username = tokenUser, passwordFile, passwordEnv, tokenFile, tokenEnv }: RepoCredentialsConfig,
  env: NodeJS.ProcessEnv,
): { username: string; password: string } {
  return readSecret({ username, passwordFile: passwordFile ?? tokenFile, passwordEnv: passwordEnv ?? tokenEnv }, env);
}

/** Key, passphrase and known hosts; throws `ConfigInvalid`. */
export function readSshAccess(
  settings: SshConfig,
  env: NodeJS.ProcessEnv,
): {
  keyFile: string;
  privateKey: string;
  passphrase: string | undefined;
  knownHostsFile: string;
  knownHosts: string;
} {
  const { file, text, passphrase } = readKey(settings, env, 'SSH key');
  const { knownHostsFile } = settings;
  return { keyFile: file, privateKey: text, passphrase, knownHostsFile, knownHosts: readKnownHosts(knownHostsFile) };
}

function readKnownHosts(file: string): string {
  try {
    return readText(file, 'known_hosts');
  } catch (error) {
    if (!(error instanceof TallymanError)) throw error;
    throw new TallymanError('ConfigInvalid', error.message, {
      cause: error.cause,
      remedy: `Create "${file}" with the server's key in it: \`ssh-keyscan\` prints the lines, compare their fingerprints first.`,
    });
  }
}
