/** A server with one hook of each way to prove a delivery, for tests. */
import { createHmac } from 'node:crypto';
import type { Leader } from '../../src/pipeline/cluster-ports.ts';
import type { Log } from '../../src/pipeline/ports.ts';
import { createHook } from '../../src/server/create-hook.ts';
import { createServer, type RunningServer } from '../../src/server/create-server.ts';
import { createRelay } from '../../src/server/relay.ts';
import type { Hint } from '../../src/webhook/delivery.ts';
import { recordingMetrics } from '../pipeline/recording-metrics.ts';

export const secret = 'never-to-be-told-5';

export interface OpenServer extends RunningServer {
  readonly hints: readonly Hint[];
  /** `level message {fields}` */
  readonly lines: readonly string[];
  /** What the tests may change while it runs. */
  readonly now: {
    ms: number;
    ready: boolean;
    secret: () => string;
    repos: number;
    stalled?: string;
    readyAs?: string;
    leader?: Leader;
    told: readonly string[];
  };
  post(path: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
}

export async function openServer(requestMs?: number): Promise<OpenServer> {
  const hints: Hint[] = [];
  const lines: string[] = [];
  const metrics = recordingMetrics();
  const now: OpenServer['now'] = {
    ms: 1_700_000_000_000,
    ready: false,
    secret: () => secret,
    repos: 1,
    told: metrics.told,
  };
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const onHint = async (hint: Hint): Promise<number> => {
    hints.push(hint);
    return now.repos;
  };
  const hooks = (['generic', 'gitlab', 'distribution'] as const).map((format) =>
    createHook({
      name: format,
      format,
      host: undefined,
      readSecret: () => now.secret(),
      onHint,
      log,
      nowMs: () => now.ms,
    }),
  );
  const probes = {
    whyNotAlive: () => now.stalled,
    whyNotReady: async () => (now.ready ? undefined : 'the first pass is not done yet'),
    readyAs: () => now.readyAs ?? 'ready',
  };
  const renderMetrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'tallyman_x 1\n' });
  const relay = createRelay({
    findLeader: () => now.leader ?? { kind: 'self' },
    log,
    nowMs: () => now.ms,
    timeoutMs: 500,
  });
  const options = { listen: '127.0.0.1:0', hooks, log, probes, renderMetrics, metrics, relay };
  const server = await createServer({ ...options, ...(requestMs !== undefined && { requestMs }) });
  return {
    ...{ ...server, hints, lines, now },
    post: (path, body, headers = {}) => fetch(`${server.url}${path}`, { method: 'POST', body, headers }),
  };
}

/** The headers of a generic delivery. */
export function sign(body: string | Uint8Array, key = secret): Record<string, string> {
  return { 'x-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}` };
}

export const push = JSON.stringify({ repository: 'https://git.example/acme/deploy', ref: 'refs/heads/main' });
