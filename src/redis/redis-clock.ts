/** The one clock of all workers: that of Redis, as long as it goes as time does. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { RedisLink } from './open-redis.ts';

/** Time services set clocks by less, and what a machine's clock gains between two looks is less by far. */
const maxSetMs = 60_000;

/**
 * Tells the time of Redis. One that jumped against the time that passed here, by a clock that was set or by another server in
 * its place, would make tags older than they are: it is trusted again once it is back, or by a worker that begins then.
 */
export function createRedisClock(
  { ask, keyPrefix }: Pick<RedisLink, 'ask' | 'keyPrefix'>,
  clock: Pick<Clock, 'nowMs'>,
): (options: { readonly signal: AbortSignal }) => Promise<number> {
  /** So far it was ahead of the clock here when it was last trusted: one may gain on the other, slowly. */
  let trustedMs: number | undefined;
  return async ({ signal }) => {
    const asked = { code: 'LedgerUnavailable', task: 'ask for the time', signal } as const;
    const [seconds, microseconds] = await ask(asked, (client) => client.time());
    const timeMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
    const aheadMs = timeMs - clock.nowMs();
    const setMs = aheadMs - (trustedMs ?? aheadMs);
    if (Math.abs(setMs) > maxSetMs) throw clockJumped(setMs, keyPrefix);
    trustedMs = aheadMs;
    return timeMs;
  };
}

function clockJumped(setMs: number, keyPrefix: string): TallymanError {
  const way = setMs > 0 ? 'forward' : 'back';
  const found = `the clock of Redis jumped ${way} by ${Math.round(Math.abs(setMs) / 1000)} s`;
  const removal = setMs > 0 ? `remove the keys \`${keyPrefix}ledger:*\`, whose times are too old, and ` : '';
  return new TallymanError('LedgerUnavailable', `Cannot tell ages: ${found}, one that runs evenly was wanted`, {
    remedy: `Check the time service of Redis's machine; if its time is right only now, ${removal}restart all workers.`,
  });
}
