/** What a webhook sends, and what it may mean. */

/** One HTTP request of a webhook, as it came: nothing in it is trusted. */
export interface Delivery {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What follows `?` in its address, without that sign. */
  readonly query: string;
  /** The bytes that a signature is computed over. */
  readonly body: Uint8Array;
}

/** HMAC-SHA-256 (RFC 2104) of the bytes: 32 bytes. */
export type HmacSha256 = (secret: string, bytes: Uint8Array) => Uint8Array;

/** An image repository that has something new. `{ host: 'ghcr.io', path: 'acme/web' }` */
export interface ImageHint {
  /** Undefined where the sender does not say under which name images have it: any host. */
  readonly host: string | undefined;
  readonly path: string;
}

/** A branch of a Git repository moved. */
export interface PushHint {
  readonly kind: 'push';
  /** The repository's addresses in all forms that the payload has. */
  readonly repoUrls: readonly string[];
  /** Undefined where the sender does not say. */
  readonly branch: string | undefined;
  readonly defaultBranch: string | undefined;
}

/** What a genuine delivery says: where to look. Its tags, digests and commits are not even read. */
export type Hint = PushHint | { readonly kind: 'images'; readonly images: readonly ImageHint[] };

export type DeliveryResult =
  | Hint
  /** Genuine, and of no concern. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** An HTTP status, and a reason that repeats nothing of the delivery. */
  | { readonly kind: 'refused'; readonly status: 400 | 401 | 413; readonly reason: string };

/** The one value of a header; undefined where there is none, or several. */
export function headerOf({ headers }: Delivery, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

export function ignored(reason: string): DeliveryResult {
  return { kind: 'ignored', reason };
}

export function malformed(reason: string): DeliveryResult {
  return { kind: 'refused', status: 400, reason };
}
