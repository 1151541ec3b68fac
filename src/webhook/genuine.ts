/** Whether a delivery comes from who knows the secret. */
import { type Delivery, type HmacSha256, headerOf } from './delivery.ts';

/** What proves a delivery. */
export interface Proof {
  /** Never empty. */
  readonly secret: string;
  readonly hmacSha256: HmacSha256;
}

/** One way to prove it: true, false, or undefined where the delivery does not try that way. */
export type Check = (delivery: Delivery, proof: Proof) => boolean | undefined;

/**
 * The header holds the body's HMAC-SHA-256 in hexadecimal digits, after `prefix`. Sources: GitHub's "Validating webhook
 * deliveries" (`X-Hub-Signature-256: sha256=…`), Gitea's "Webhooks" (`X-Gitea-Signature: …`).
 */
export function signedBy(header: string, prefix = ''): Check {
  return (delivery, { secret, hmacSha256 }) => {
    const value = headerOf(delivery, header);
    if (value === undefined) return undefined;
    const hex = value.startsWith(prefix) ? value.slice(prefix.length) : '';
    if (!/^[0-9a-f]{64}$/i.test(hex)) return false;
    return isEqual(
      Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
      hmacSha256(secret, delivery.body),
    );
  };
}

/** The header holds the secret itself. */
export function toldBy(header: string): Check {
  return (delivery, proof) => {
    const value = headerOf(delivery, header);
    return value === undefined ? undefined : isSecret(sentBytes(value), proof);
  };
}

/** The secret itself is in the query, as `?secret=…`: for senders that can set nothing but an address. */
export const toldInQuery: Check = ({ query }, proof) => {
  const value = new URLSearchParams(query).get('secret');
  return value === null ? undefined : isSecret(new TextEncoder().encode(value), proof);
};

/** The secret is the whole header `Authorization`, a bearer token, or the password of Basic authentication. */
export const authorized: Check = (delivery, proof) => {
  const value = headerOf(delivery, 'authorization');
  if (value === undefined) return undefined;
  const [, scheme = '', rest = ''] = /^(bearer|basic) +(.*)$/i.exec(value) ?? [];
  const inner = scheme.toLowerCase() === 'basic' ? passwordOf(rest) : sentBytes(rest);
  // Both are always compared, so that the time tells nothing.
  const whole = isSecret(sentBytes(value), proof);
  return isSecret(inner, proof) || whole;
};

/** Whether one of the checks is passed; undefined where none was tried. One that fails does not spoil the others. */
export function checkAll(checks: readonly Check[], delivery: Delivery, proof: Proof): boolean | undefined {
  const results = checks.map((check) => check(delivery, proof));
  return results.includes(true) || (results.includes(false) ? false : undefined);
}

/** Comparing HMACs of both, whose length is always the same, tells nothing of the secret's length either. */
function isSecret(bytes: Uint8Array, { secret, hmacSha256 }: Proof): boolean {
  return isEqual(hmacSha256(secret, bytes), hmacSha256(secret, new TextEncoder().encode(secret)));
}

/** In a time that depends on the lengths alone. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index += 1) difference |= (left[index] ?? 0) ^ (right[index] ?? 0);
  return difference === 0;
}

/** A header's text has one sign for each byte that was sent (RFC 9110, section 5.5); senders mean UTF-8. */
function sentBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (sign) => sign.charCodeAt(0));
}

const colon = 58;

function passwordOf(base64: string): Uint8Array {
  try {
    const bytes = sentBytes(atob(base64));
    return bytes.subarray(bytes.indexOf(colon) + 1);
  } catch {
    return new Uint8Array();
  }
}
