/** Writes and reads JSON Web Tokens (RFC 7519) as far as clouds need it. */
import { createPrivateKey, sign } from 'node:crypto';
import { parseJsonObject } from '../json.ts';

/** The claims, signed with RS256 (RFC 7518, section 3.3); undefined where `key` is no RSA key in PEM. */
export function signJwt(
  claims: Readonly<Record<string, unknown>>,
  { key, keyId }: { key: string; keyId: string | undefined },
): string | undefined {
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId !== undefined && { kid: keyId }) };
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  // Node's own error would be of no use, and nobody knows what it quotes.
  try {
    const privateKey = createPrivateKey(key);
    if (privateKey.asymmetricKeyType !== 'rsa') return undefined;
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
  } catch {
    return undefined;
  }
}

/**
 * When the token ends, in milliseconds since 1970; NaN where it does not say so. The signature is not looked at: the end
 * only says when to renew.
 *
 * @example
 * readJwtEnd('e30.eyJleHAiOjYwfQ.') // 60_000
 */
export function readJwtEnd(token: string): number {
  const { exp } = parseJsonObject(Buffer.from(token.split('.')[1] ?? '', 'base64url')) ?? {};
  return typeof exp === 'number' ? exp * 1000 : Number.NaN;
}
