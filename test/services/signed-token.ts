/** Tokens that Distribution 2.8 takes: JWTs of a key whose certificate it is given. */
import { createHash, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** For the registry's `rootcertbundle`. Any certificate does: it is the key that counts. */
export const certificateFile = fileURLToPath(new URL('../registry/tls/localhost-cert.pem', import.meta.url));
const signingKey = readFileSync(new URL('../registry/tls/localhost-key.pem', import.meta.url), 'utf8');
/** RFC 4648, section 6. */
const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const header = { typ: 'JWT', alg: 'ES256', kid: formatKeyId() };

/** A JWT (RFC 7519) signed with ES256, whose two numbers stand side by side (RFC 7518, section 3.4). */
export function signToken(claims: object): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('sha256', Buffer.from(text), { key: signingKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/**
 * The key's name as the registry computes it: the first 240 bits of the SHA-256 of the public key (DER), in base32, in
 * groups of four. Source: Distribution token specification, "kid".
 */
function formatKeyId(): string {
  const { publicKey } = new X509Certificate(readFileSync(certificateFile));
  const hash = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 30);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => base32[Number.parseInt(five, 2)]).join('');
  return (letters.match(/.{4}/g) ?? []).join(':');
}
