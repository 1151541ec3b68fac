/** The secrets of a Yaml repo, read anew at each use so that changed ones work at once. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { SecretRef } from '../pipeline/cluster-ports.ts';
import { pickLine, pickText, type SecretPlaces, unusable } from './read-cluster-secret.ts';
import { nameSecret, readKey, readSecret, readText } from './read-secret.ts';
import { appIdPattern, installationIdPattern, type RepoCredentialsConfig, type SshConfig } from './repo-schema.ts';

/** What GitHub documents for tokens; other forges take any name there. */
const tokenUser = 'x-access-token';

/** User and password, or token; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readRepoCredential(
  { username = tokenUser, passwordFile, passwordEnv, tokenFile, tokenEnv, secret }: RepoCredentialsConfig,
  places: SecretPlaces,
): { username: string; password: string } {
  const password = { passwordFile: passwordFile ?? tokenFile, passwordEnv: passwordEnv ?? tokenEnv };
  return readSecret({ username, ...password, secret }, places);
}

type GithubAppConfig = NonNullable<RepoCredentialsConfig['githubApp']>;

/** Who a GitHub App is; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readGithubApp(
  { appId, installationId, privateKeyFile = '', secret }: GithubAppConfig,
  places: SecretPlaces,
): { appId: string; installationId: string; privateKey: string; keyName: string; isPublic: boolean } {
  if (secret === undefined) {
    const privateKey = readText(privateKeyFile, 'GitHub App key');
    const ids = { appId: String(appId), installationId: String(installationId), isPublic: true };
    return { ...ids, privateKey, keyName: privateKeyFile };
  }
  const held = places.readClusterSecret(secret);
  const pickId = (keys: readonly string[], pattern: RegExp): string => {
    const id = pickLine(held, keys);
    // One of them becomes a part of an address.
    if (!pattern.test(id)) throw unusable(held, `what it has for "${keys[0]}" is no such ID`, keys);
    return id;
  };
  return {
    appId: String(appId ?? pickId(['githubAppID', 'appId'], appIdPattern)),
    installationId: String(
      installationId ?? pickId(['githubAppInstallationID', 'installationId'], installationIdPattern),
    ),
    privateKey: pickText(held, ['githubAppPrivateKey', 'privateKey']),
    keyName: nameSecret(held),
    isPublic: appId !== undefined && installationId !== undefined,
  };
}

/** Key, passphrase and known hosts; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readSshAccess(
  settings: SshConfig,
  places: SecretPlaces,
): {
  keyFile: string;
  privateKey: string;
  passphrase: string | undefined;
  knownHostsFile: string;
  knownHosts: string;
} {
  const { file, text, passphrase } = readKey(settings, places, {
    what: 'SSH key',
    keys: ['ssh-privatekey', 'identity'],
  });
  return { keyFile: file, privateKey: text, passphrase, ...readKnownHosts(settings, places) };
}

function readKnownHosts(
  { knownHostsFile, secret }: { knownHostsFile?: string | undefined; secret?: SecretRef | undefined },
  places: SecretPlaces,
): { knownHostsFile: string; knownHosts: string } {
  if (knownHostsFile === undefined && secret !== undefined) {
    const held = places.readClusterSecret(secret);
    return { knownHostsFile: nameSecret(held), knownHosts: pickText(held, ['known_hosts']) };
  }
  const file = knownHostsFile ?? '';
  return { knownHostsFile: file, knownHosts: readKnownHostsFile(file) };
}

function readKnownHostsFile(file: string): string {
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
