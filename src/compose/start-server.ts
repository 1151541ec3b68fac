import type { ServerNeeds } from '../cli/session.ts';
import type { SecretPlaces } from '../config/read-cluster-secret.ts';
import { readWebhookSecret } from '../config/read-secret.ts';
import type { Config } from '../config/schema.ts';
import type { Leadership } from '../pipeline/cluster-ports.ts';
import type { Log } from '../pipeline/ports.ts';
import { createHook } from '../server/create-hook.ts';
import { createServer } from '../server/create-server.ts';
import { createRelay } from '../server/relay.ts';
import type { Measured } from './measured.ts';
import { systemClock } from './system-clock.ts';

interface Serving {
  readonly log: Log;
  readonly places: SecretPlaces;
  readonly leadership: Leadership | undefined;
}

export async function startServer(
  { listen, webhooks }: NonNullable<Config['server']>,
  { onHint, probes, log, metrics, render, places, leadership }: ServerNeeds & Measured & Serving,
): ReturnType<typeof createServer> {
  const hooks = webhooks.map((webhook) => {
    const { name, format, host } = webhook;
    const readHookSecret = () => readWebhookSecret(webhook, places);
    return createHook({ name, format, host, readSecret: readHookSecret, onHint, log, nowMs: systemClock.nowMs });
  });
  const { nowMs } = systemClock;
  const relay = leadership && createRelay({ findLeader: leadership.findLeader, log, nowMs });
  const server = await createServer({ listen, hooks, probes, log, metrics, renderMetrics: render, relay });
  log.info({ url: server.url, webhooks: webhooks.map(({ name }) => name) }, 'listening');
  return server;
}
