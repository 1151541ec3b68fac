import { readFileSync } from 'node:fs';
import { TallymanError } from '../error/tallyman-error.ts';
import type { CredentialsConfig } from './schema.ts';

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

/** The PEM text of a certificate file; undefined where none is named; throws `ConfigInvalid`. */
export function readCertificates(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readText(file, 'certificate');
}

/** The file's text without the line break that editors leave at its end. */
function readSecretFile(file: string): string {
  return readText(file, 'secret').replace(/\r?\n$/, '');
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    throw new TallymanError(
      'ConfigInvalid',
      `Cannot read ${what} file "${file}": ${code}, a readable file was wanted`,
      { cause },
    );
  }
}
