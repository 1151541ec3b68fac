/** Hands deliveries on to the replica that leads: a Service sends them to any. */
import { once } from 'node:events';
import { type IncomingMessage, request as send } from 'node:http';
import type { Leader } from '../pipeline/cluster-ports.ts';
import type { Log } from '../pipeline/ports.ts';
import type { Answer } from './create-hook.ts';
import { createMinuteTeller } from './rate-limit.ts';

export interface RelayOptions {
  readonly findLeader: () => Leader | undefined;
  readonly log: Pick<Log, 'warn'>;
  readonly nowMs: () => number;
  /** Until the leader's whole answer is here. Default 5 s. */
  readonly timeoutMs?: number;
}

/** A delivery as it came. */
export interface RawDelivery {
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** The leader's answer, or one that has the sender try again; undefined where this process leads. Never rejects. */
export type Relay = (delivery: RawDelivery) => Promise<Answer | undefined>;

/** Who has it does not hand the delivery on: it may have gone in a circle. */
const relayedHeader = 'tallyman-relayed';
/** Those of the connection (RFC 9110, section 7.6.1), and what Node sets itself. */
const ownHeaders = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
];
const maxAnswerBytes = 64 * 1024;
const retrySeconds = 5;

export function createRelay({ findLeader, log, nowMs, timeoutMs = 5000 }: RelayOptions): Relay {
  const tellMinutely = createMinuteTeller(nowMs);
  const notNow = (reason: string): Answer => {
    tellMinutely((count) => log.warn({ count, reason }, `webhook delivery not taken: ${reason}`));
    return { status: 503, body: { error: reason }, headers: { 'retry-after': String(retrySeconds) } };
  };
  return async (delivery) => {
    const leader = findLeader();
    if (leader?.kind === 'self') return undefined;
    if (delivery.headers[relayedHeader] !== undefined) return notNow('this replica does not lead any more');
    if (leader?.kind !== 'other') return notNow('no replica leads at the moment');
    if (leader.address === undefined) return notNow('the replica that leads does not say where it is');
    try {
      return await handOn(delivery, leader.address, AbortSignal.timeout(timeoutMs));
    } catch {
      return notNow('the replica that leads cannot be reached');
    }
  };
}

async function handOn({ path, headers, body }: RawDelivery, address: string, signal: AbortSignal): Promise<Answer> {
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !ownHeaders.includes(name));
  const request = send(new URL(path, `http://${address}`), {
    method: 'POST',
    headers: { ...Object.fromEntries(kept), [relayedHeader]: '1', 'content-length': body.length },
    agent: false,
    signal,
  });
  request.end(body);
  const [response]: [IncomingMessage] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error('the answer has no end');
    chunks.push(chunk);
  }
  const { 'content-type': type = 'application/json', 'retry-after': retryAfter } = response.headers;
  return {
    status: response.statusCode ?? 502,
    body: Buffer.concat(chunks).toString('utf8'),
    headers: { 'content-type': type, ...(retryAfter !== undefined && { 'retry-after': retryAfter }) },
  };
}
