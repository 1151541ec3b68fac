/** What registry clients tell, as metrics. */
import type { Metrics, Sample } from './metrics-ports.ts';
import type { Clock } from './ports.ts';

/** As a client tells it; of other kinds nothing is measured. */
type ToldEvent =
  | { readonly kind: (typeof measuredKinds)[number]; readonly host: string }
  | { readonly kind: 'budget'; readonly host: string; readonly left: number; readonly windowMs: number }
  | { readonly kind: 'dropped-tags' | 'no-labels' | 'no-push-times' };

export interface RegistryMeter {
  note(event: ToldEvent): void;
  listSamples(): readonly Sample[];
}

const measuredKinds = ['retry', 'throttled', 'circuit-open', 'warning'] as const;

/** `metrics` is asked at each event. */
export function createRegistryMeter({
  metrics,
  clock,
}: {
  metrics: () => Pick<Metrics, 'count'>;
  clock: Pick<Clock, 'nowMs'>;
}): RegistryMeter {
  /** By host: what it said last, whoever was signed in. */
  const pulls = new Map<string, { readonly left: number; readonly untilMs: number }>();
  return {
    note(event) {
      if (event.kind === 'budget') pulls.set(event.host, { left: event.left, untilMs: clock.nowMs() + event.windowMs });
      else if (isMeasured(event))
        metrics().count('tallyman_registry_events_total', { host: event.host, event: event.kind });
    },
    listSamples() {
      for (const [host, { untilMs }] of pulls) if (clock.nowMs() >= untilMs) pulls.delete(host);
      return [...pulls].map(([host, { left }]) => ({
        name: 'tallyman_registry_pulls_left',
        labels: { host },
        value: left,
      }));
    },
  };
}

function isMeasured(event: ToldEvent): event is Extract<ToldEvent, { kind: (typeof measuredKinds)[number] }> {
  return measuredKinds.some((kind) => kind === event.kind);
}
