/** One webhook: what is answered to its deliveries, and what becomes of them. */
import { createHmac } from 'node:crypto';
import { toProblem } from '../error/problem.ts';
import type { Log } from '../pipeline/ports.ts';
import type { Delivery, Hint } from '../webhook/delivery.ts';
import { readDelivery, type WebhookFormat } from '../webhook/read-delivery.ts';
import { createMinuteTeller, createRateLimit } from './rate-limit.ts';

export interface HookOptions {
  /** As in its address: `/webhooks/<name>` */
  readonly name: string;
  readonly format: WebhookFormat;
  /** The registry as images name it, where the sender does not know. */
  readonly host: string | undefined;
  /** Asked at each delivery; throws ConfigInvalid where there is none. */
  readonly readSecret: () => string;
  /** Acts on what a genuine delivery said; how many Yaml repos are looked at for it. What it throws has the sender try again. */
  readonly onHint: (hint: Hint) => Promise<number>;
  readonly log: Log;
  readonly nowMs: () => number;
}

/** An answer in JSON, or a text whose type is in `headers`. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, string | number>> | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Hook {
  readonly name: string;
  /** Never throws, and waits for nothing but the queue. */
  receive(delivery: Delivery): Promise<Answer>;
}

/** Genuine deliveries of one hook: more are no harm to what is woken, which is woken once, but to who must read the log. */
const limits = { burst: 100, perSecond: 20 };

/** A hook that tells refused deliveries in the log, once a minute, with nothing of what they held. */
export function createHook({ name, format, host, readSecret, onHint, log, nowMs }: HookOptions): Hook {
  const tellRefusal = createMinuteTeller(nowMs);
  const mayPass = createRateLimit({ ...limits, nowMs });
  const refuse = (status: number, reason: string): Answer => {
    tellRefusal((count) => log.warn({ hook: name, status, count }, `webhook "${name}": delivery refused: ${reason}`));
    return { status, body: { error: reason } };
  };
  const act = async (hint: Hint): Promise<Answer> => {
    const repos = await onHint(hint);
    if (repos === 0) return { status: 202, body: { result: 'ignored', reason: 'nothing that is watched' } };
    log.info({ hook: name, hint: hint.kind, repos }, `webhook "${name}": looking now`);
    return { status: 202, body: { result: 'accepted', repos } };
  };
  const failed = (fault: unknown): Answer => {
    const { code, message } = toProblem(fault);
    tellRefusal((count) => log.error({ code, hook: name, count }, message));
    return { status: 503, body: { error: 'not now' }, headers: { 'retry-after': '5' } };
  };
  return {
    name,
    async receive(delivery) {
      const secret = trySecret(readSecret);
      if ('fault' in secret) {
        const { code, message } = toProblem(secret.fault);
        tellRefusal((count) => log.error({ code, hook: name, count }, message));
        return { status: 503, body: { error: 'the secret of this webhook cannot be read' } };
      }
      const result = readDelivery(delivery, { format, host, hmacSha256, ...secret });
      if (result.kind === 'refused') return refuse(result.status, result.reason);
      if (!mayPass()) return { ...refuse(429, 'too many deliveries'), headers: { 'retry-after': '1' } };
      if (result.kind !== 'ignored') return await act(result).catch(failed);
      log.debug({ hook: name, reason: result.reason }, `webhook "${name}": delivery ignored`);
      return { status: 200, body: { result: 'ignored', reason: result.reason } };
    },
  };
}

function trySecret(readSecret: () => string): { secret: string } | { fault: unknown } {
  try {
    return { secret: readSecret() };
  } catch (fault) {
    return { fault };
  }
}

function hmacSha256(secret: string, bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', secret).update(bytes).digest();
}
