/** Deliveries for tests, signed as their senders do. */
import { createHmac } from 'node:crypto';
import type { Delivery, DeliveryResult } from '../../src/webhook/delivery.ts';
import { readDelivery, type WebhookFormat } from '../../src/webhook/read-delivery.ts';

export const secret = 'quay side ☃ 7';

/** As Node's HTTP server gives what was sent as UTF-8. */
export const secretInHeader = Buffer.from(secret).toString('latin1');

export const hmacSha256 = (key: string, bytes: Uint8Array): Uint8Array =>
  createHmac('sha256', key).update(bytes).digest();

export const hexOf = (body: Uint8Array | string, key = secret): string =>
  Buffer.from(hmacSha256(key, Buffer.from(body))).toString('hex');

/** A delivery with a body that is JSON, or the text as it is. */
export function deliver(
  payload: unknown,
  headers: (body: string) => Record<string, string>,
  parts: Partial<Delivery> = {},
): Delivery {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return {
    headers: { 'content-type': 'application/json', ...headers(body) },
    query: '',
    body: Buffer.from(body),
    ...parts,
  };
}

/** What a hook of that format makes of it. */
export function read(format: WebhookFormat, delivery: Delivery, host?: string): DeliveryResult {
  return readDelivery(delivery, { format, host, secret, hmacSha256 });
}
