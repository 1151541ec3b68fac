import { readFileSync, statSync } from 'node:fs';
import { TallymanError } from '../error/tallyman-error.ts';
import { describePemFault, type PemContent } from './pem-fault.ts';
import type { CredentialsConfig, SigningConfig } from './schema.ts';

/** The user and the password behind a credentials setting, read anew each time so that a changed secret is used at once; throws `ConfigInvalid`. */
export function readSecret(
  credentials: CredentialsConfig,
  env: NodeJS.ProcessEnv,
): { username: string; password: string } {
  const { username, passwordFile, passwordEnv } = credentials;
  const password = passwordFile === undefined ? env[passwordEnv ?? ''] : readSecretFile(passwordFile);
  if (password === undefined || password === '') {
    const source = passwordFile === undefined ? `environment variable "${passwordEnv}"` : `file "${passwordFile}"`;
    throw new TallymanError(
      'ConfigInvalid',
      `Cannot read the password of "${username}": ${source} is empty or missing, a password was wanted`,
    );
  }
  return { username, password };
}

/** The signing key and its passphrase, if it has one, read anew each time; throws `ConfigInvalid`. */
export function readSigningKey(settings: SigningConfig, env: NodeJS.ProcessEnv): ReturnType<typeof readKey> {
  return readKey(settings, env, 'signing key');
}

/** A private key, called `what` in messages, and its passphrase, if it has one; throws `ConfigInvalid`. */
export function readKey(
  { keyFile, passphraseFile, passphraseEnv }: Omit<SigningConfig, 'format'>,
  env: NodeJS.ProcessEnv,
  what: string,
): { file: string; text: string; passphrase: string | undefined } {
  const text = readText(keyFile, what);
  if (passphraseFile === undefined && passphraseEnv === undefined)
    return { file: keyFile, text, passphrase: undefined };
  const passphrase = passphraseFile === undefined ? env[passphraseEnv ?? ''] : readSecretFile(passphraseFile);
  if (passphrase === undefined || passphrase === '') {
    const source =
      passphraseFile === undefined ? `environment variable "${passphraseEnv}"` : `file "${passphraseFile}"`;
    const found = `${source} is empty or missing, a passphrase was wanted`;
    throw new TallymanError('ConfigInvalid', `Cannot read the passphrase of "${keyFile}": ${found}`);
  }
  return { file: keyFile, text, passphrase };
}

/** The PEM text of a file with such content; undefined where none is named; throws `ConfigInvalid`. */
export type ReadPem = (file: string | undefined, content?: PemContent) => string | undefined;

/** Reads PEM files, by default of certificates; again only when one has changed. Each file is kept once. */
export function createCertificateReader(): ReadPem {
  const kept = new Map<string, { stamp: string; text: string }>();
  return (file, content = 'certificate') => {
    if (file === undefined) return undefined;
    const { mtimeMs, size, ino } = tell(file, content, () => statSync(file));
    const stamp = [mtimeMs, size, ino, content].join(' ');
    const known = kept.get(file);
    if (known?.stamp === stamp) return known.text;
    const text = readPem(file, content);
    kept.set(file, { stamp, text });
    return text;
  };
}

function readPem(file: string, content: PemContent): string {
  const text = readText(file, content);
  const fault = describePemFault(text, content);
  if (fault === undefined) return text;
  throw new TallymanError('ConfigInvalid', `Cannot use ${content} file "${file}": ${fault}, one in PEM was wanted`, {
    place: { file },
    remedy: 'Correct the file, or the path to it in the configuration.',
  });
}

/** The file's text without the line break that editors leave at its end. */
function readSecretFile(file: string): string {
  return readText(file, 'secret').replace(/\r?\n$/, '');
}

/** The text of a file, called `what` in messages; throws `ConfigInvalid`. */
export function readText(file: string, what: string): string {
  return tell(file, what, () => readFileSync(file, 'utf8'));
}

/** What `look` finds in the file; its failure is the configuration's. */
function tell<T>(file: string, what: string, look: () => T): T {
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
