/** Who the client is to a registry, and where that is looked for. */
import type { TallymanError } from '../../error/tallyman-error.ts';
import type { ImageRepository } from '../../image/reference.ts';

interface Originated {
  /** Where it comes from, for messages, where the user's name is not to be told: `Secret "shop/registry"` */
  readonly origin?: string | undefined;
}

/** A user of a registry. A robot's token goes in as the password. */
export interface UserCredential extends Originated {
  readonly username: string;
  readonly password: string;
}

/** A refresh token that a token server takes instead of a password; `username` is the one to fall back to for GET. */
export interface IdentityToken extends Originated {
  readonly username?: string | undefined;
  readonly identityToken: string;
}

/** A bearer token that is sent as it stands (`registrytoken` of Docker's configuration). */
export interface BearerToken extends Originated {
  readonly bearerToken: string;
}

export type Credential = UserCredential | IdentityToken | BearerToken;

/** One place where credentials are looked for. */
export interface CredentialSource {
  /**
   * The credential for the repository; undefined where this source has none. What is slow to get is kept until shortly
   * before it ends. Throws RegistryDenied or RegistryUnavailable where the source has one that cannot be had now.
   */
  find(repository: ImageRepository, options: { signal: AbortSignal }): Promise<Credential | undefined>;
  /** What was found for the repository was refused: the next `find` asks anew. */
  forget(repository: ImageRepository): void;
  /** Whether this source has another credential for the repository than the one that was refused: then the next `find` gives it. Default no. */
  another?(repository: ImageRepository, refused: Credential): boolean;
  /** Why this source may have found nothing although there is something; default undefined. */
  doubt?(): TallymanError | undefined;
}

/** The parts of a credential that must never be shown. */
export function listSecrets(credential: Credential | undefined): readonly string[] {
  if (credential === undefined) return [];
  if ('bearerToken' in credential) return [credential.bearerToken];
  if ('identityToken' in credential) return [credential.identityToken];
  const { username, password } = credential;
  return [password, encodeURIComponent(password), Buffer.from(`${username}:${password}`).toString('base64')];
}

/**
 * The Authorization header of RFC 7617, in UTF-8; undefined for a credential that names no user.
 *
 * @example
 * formatBasic({ username: 'u', password: 'p' }) // 'Basic dTpw'
 */
export function formatBasic(credential: Credential | undefined): string | undefined {
  if (credential === undefined || 'bearerToken' in credential || credential.username === undefined) return undefined;
  const password = 'password' in credential ? credential.password : credential.identityToken;
  return `Basic ${Buffer.from(`${credential.username}:${password}`).toString('base64')}`;
}
