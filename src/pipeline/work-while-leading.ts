/** The daemon's work where several replicas agree that one of them does it. */
import type { Leadership, LeadOptions } from './cluster-ports.ts';
import type { Metrics } from './metrics-ports.ts';
import type { PassObserver } from './pass-records.ts';
import type { Queues } from './run-jobs.ts';

export interface LeadingOptions extends LeadOptions {
  /** Resolves once nothing is under way, after its signal aborted. */
  readonly work: (options: { signal: AbortSignal }) => Promise<void>;
  readonly queues: Pick<Queues, 'passes'>;
  readonly subjects: readonly string[];
  readonly metrics: Pick<Metrics, 'count' | 'onScrape'>;
  /** Those who tell of the passes. */
  readonly observers: readonly Pick<PassObserver, 'leave'>[];
  readonly signal: AbortSignal;
}

/** Works whenever this process leads, until the signal aborts; begins each time with a pass over every Yaml repo. */
export async function workWhileLeading(leadership: Leadership, options: LeadingOptions): Promise<void> {
  const { work, queues, subjects, metrics, observers, address, signal } = options;
  metrics.count('tallyman_leader_terms_total', {}, 0);
  metrics.onScrape('leader', () => {
    const value = leadership.findLeader()?.kind === 'self' ? 1 : 0;
    return [{ name: 'tallyman_leader', labels: {}, value }];
  });
  const lead = async ({ signal: term }: { signal: AbortSignal }): Promise<void> => {
    metrics.count('tallyman_leader_terms_total', {});
    // Somebody else may have led since what waits here was put off. What the queue does not take now, the worker adds.
    const jobs = subjects.map((subject) => ({ subject, delayMs: 0, urgent: false }));
    await queues.passes.add(jobs, { signal: term }).catch(() => undefined);
    await work({ signal: term });
    for (const observer of observers) observer.leave?.();
  };
  await leadership.run(lead, { signal, address });
}

/**
 * Where the others reach the server of this process: by the pod's own address, if the server listens on it; undefined where
 * that is not so, or not known.
 */
export function findOwnAddress(serverUrl: string | undefined, podIp: string | undefined): string | undefined {
  if (serverUrl === undefined || !podIp) return undefined;
  const { hostname, port } = new URL(serverUrl);
  const host = podIp.includes(':') ? `[${podIp}]` : podIp;
  return ['0.0.0.0', '[::]', host].includes(hostname) ? `${host}:${port || '80'}` : undefined;
}
