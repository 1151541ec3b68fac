import { readFileSync } from 'node:fs';
import { TallymanError } from '../error/tallyman-error.ts';
import type { SecretRef } from '../pipeline/cluster-ports.ts';
import { findLine, pickLine, pickText, type SecretPlaces } from './read-cluster-secret.ts';
import type { SigningConfig } from './schema.ts';
import type { WebhookConfig } from './server-schema.ts';

/** One place of a password, and whose it is. */
interface PasswordConfig {
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly passwordEnv?: string | undefined;
  readonly secret?: SecretRef | undefined;
}

const passwordKeys = ['password', 'token', 'bearerToken'];

/** The user and the password behind a credentials setting, read anew each time so that a changed secret is used at once; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readSecret(
  { username, passwordFile, passwordEnv, secret }: PasswordConfig,
  places: SecretPlaces,
): { username: string; password: string; origin?: string } {
  if (secret !== undefined) {
    const held = places.readClusterSecret(secret);
    const name = findLine(held, ['username']) ?? username ?? pickLine(held, ['username']);
    return { username: name, password: pickLine(held, passwordKeys), origin: held.title };
  }
  const password = passwordFile === undefined ? places.env[passwordEnv ?? ''] : readSecretFile(passwordFile);
  if (password === undefined || password === '') {
    const source = passwordFile === undefined ? `environment variable "${passwordEnv}"` : `file "${passwordFile}"`;
    throw new TallymanError(
      'ConfigInvalid',
      `Cannot read the password of "${username}": ${source} is empty or missing, a password was wanted`,
    );
  }
  return { username: username ?? '', password };
}

/** By which deliveries of a webhook are proved, read anew each time; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readWebhookSecret(
  { name, secretFile, secretEnv, secret }: Pick<WebhookConfig, 'name' | 'secretFile' | 'secretEnv' | 'secret'>,
  places: SecretPlaces,
): string {
  if (secret !== undefined) return pickLine(places.readClusterSecret(secret), [secret.key]);
  const settings = { username: `webhook ${name}`, passwordFile: secretFile, passwordEnv: secretEnv };
  return readSecret(settings, places).password;
}

const signingKeys: Readonly<Record<SigningConfig['format'], readonly string[]>> = {
  ssh: ['ssh-privatekey', 'identity'],
  openpgp: ['git.asc'],
};

/** The signing key and its passphrase, if it has one, read anew each time; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readSigningKey(settings: SigningConfig, places: SecretPlaces): ReturnType<typeof readKey> {
  return readKey(settings, places, { what: 'signing key', keys: signingKeys[settings.format] });
}

interface KeyConfig {
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseEnv?: string | undefined;
  readonly secret?: SecretRef | undefined;
}

/** A private key, called `what` in messages and `keys` in Secrets, and its passphrase, if it has one; throws `ConfigInvalid` or `SecretUnavailable`. */
export function readKey(
  { keyFile = '', passphraseFile, passphraseEnv, secret }: KeyConfig,
  places: SecretPlaces,
  { what, keys }: { what: string; keys: readonly string[] },
): { file: string; text: string; passphrase: string | undefined } {
  if (secret !== undefined) {
    const held = places.readClusterSecret(secret);
    const passphrase = findLine(held, ['passphrase', 'password']);
    return { file: nameSecret(held), text: pickText(held, keys), passphrase };
  }
  const text = readText(keyFile, what);
  if (passphraseFile === undefined && passphraseEnv === undefined)
    return { file: keyFile, text, passphrase: undefined };
  const passphrase = passphraseFile === undefined ? places.env[passphraseEnv ?? ''] : readSecretFile(passphraseFile);
  if (passphrase === undefined || passphrase === '') {
    const source =
      passphraseFile === undefined ? `environment variable "${passphraseEnv}"` : `file "${passphraseFile}"`;
    const found = `${source} is empty or missing, a passphrase was wanted`;
    throw new TallymanError('ConfigInvalid', `Cannot read the passphrase of "${keyFile}": ${found}`);
  }
  return { file: keyFile, text, passphrase };
}

/** Where messages quote the name of a file: `Secret shop/git` */
export function nameSecret({ title }: { readonly title: string }): string {
  return title.replaceAll('"', '');
}

/** The file's text without the line break that editors leave at its end. */
function readSecretFile(file: string): string {
  return readText(file, 'secret').replace(/\r?\n$/, '');
}

/** The text of a file, called `what` in messages; throws `ConfigInvalid`. */
export function readText(file: string, what: string): string {
  return tellFileFault(file, what, () => readFileSync(file, 'utf8'));
}

/** What `look` finds in the file; its failure is the configuration's. */
export function tellFileFault<T>(file: string, what: string, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    throw new TallymanError(
      'ConfigInvalid',
      `Cannot read ${what} file "${file}": ${code}, a readable file was wanted`,
      { cause },
    );
  }
}
