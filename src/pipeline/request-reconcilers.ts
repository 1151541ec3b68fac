/** Tells reconcilers that there is a commit for them, once each. */
import { type Problem, toProblem } from '../error/problem.ts';
import { judgeApplier, type Lineage } from '../reconcile/judge-applier.ts';
import type { Applier, MatchedObjects } from '../reconcile/match-objects.ts';
import { formatName, type GitSource, type ReconcilerName } from '../reconcile/reconciler-object.ts';
import type { Reconcilers } from './cluster-ports.ts';
import { mapConcurrent } from './map-concurrent.ts';
import type { Metrics } from './metrics-ports.ts';
import type { Clock } from './ports.ts';

/** What is to be told of the newest commit: `appliers` are those that somebody waits for. */
interface Errand {
  readonly sources: MatchedObjects['sources'];
  readonly appliers: readonly Applier[];
  readonly lineage: Lineage;
}

export interface Requester {
  /** Sends what is due; when there is something to do again, by the clock, Infinity for nothing. Never throws. */
  send(errand: Errand, options: { signal: AbortSignal }): Promise<number>;
}

export interface RequestOptions {
  readonly reconcilers: Pick<Reconcilers, 'request'>;
  readonly clock: Pick<Clock, 'nowMs' | 'random'>;
  readonly metrics: Pick<Metrics, 'count'>;
  /** What keeps requests from being sent; undefined once one is sent. */
  readonly tell: (problem: Problem | undefined) => void;
}

/** What of one object is remembered. */
interface Asked {
  /** The commit that it was asked for last. */
  commit: string | undefined;
  /** The commit that it could be at, and since when it is known to. */
  ready: { readonly commit: string; readonly sinceMs: number } | undefined;
  notBeforeMs: number;
  pauseMs: number;
}

/** Between two requests to one object: what comes in between is asked for together. */
const gapMs = 5000;
/** Flux's objects begin by themselves when their source has something new; who has not begun by then is asked. Asking earlier would have the work done twice. */
const graceMs = 3000;
/** Objects come and go: above that those are forgotten that were not asked for the newest commit. */
const maxKnown = 10_000;
/** A large repository's objects are a thousand: the API server has others to answer, too. */
const maxAtOnce = 16;
const firstPauseMs = 2000;
const maxPauseMs = 60_000;

/** For one Yaml repo. */
export function createRequester({ reconcilers, clock, metrics, tell }: RequestOptions): Requester {
  const known = new Map<string, Asked>();
  const of = (name: ReconcilerName): Asked => {
    const key = formatName(name);
    const asked = known.get(key) ?? { commit: undefined, ready: undefined, notBeforeMs: 0, pauseMs: 0 };
    known.set(key, asked);
    return asked;
  };

  /** When the object is to be asked; Infinity where it need not be. */
  function findDue(name: ReconcilerName, commit: string, sinceReadyMs: number): number {
    const asked = of(name);
    if (asked.commit === commit) return Number.POSITIVE_INFINITY;
    if (asked.ready?.commit !== commit) asked.ready = { commit, sinceMs: clock.nowMs() };
    return Math.max(asked.notBeforeMs, asked.ready.sinceMs + sinceReadyMs);
  }

  async function ask(name: ReconcilerName, commit: string, signal: AbortSignal): Promise<number> {
    const asked = of(name);
    const { kind } = name;
    try {
      const outcome = await reconcilers.request(name, { signal });
      metrics.count('tallyman_reconcile_requests_total', { kind, outcome });
      Object.assign(asked, { commit, notBeforeMs: clock.nowMs() + gapMs, pauseMs: 0 });
      tell(undefined);
      return Number.POSITIVE_INFINITY;
    } catch (error) {
      if (signal.aborted) return Number.POSITIVE_INFINITY;
      metrics.count('tallyman_reconcile_requests_total', { kind, outcome: 'failed' });
      tell(toProblem(error));
      asked.pauseMs = Math.min(Math.max(firstPauseMs, 2 * asked.pauseMs), maxPauseMs);
      asked.notBeforeMs = clock.nowMs() + asked.pauseMs * (0.5 + clock.random());
      return asked.notBeforeMs;
    }
  }

  return {
    async send(errand, { signal }) {
      const { commit } = errand.lineage;
      if (known.size > maxKnown) for (const [key, asked] of known) if (asked.commit !== commit) known.delete(key);
      const wanted = listWanted(errand);
      const due = wanted.map(({ name, sinceReadyMs }) => ({ name, atMs: findDue(name, commit, sinceReadyMs) }));
      const now = clock.nowMs();
      const later = await mapConcurrent(due, maxAtOnce, async ({ name, atMs }) =>
        atMs > now ? atMs : await ask(name, commit, signal),
      );
      return Math.min(Number.POSITIVE_INFINITY, ...later);
    },
  };
}

interface Wanted {
  readonly name: ReconcilerName;
  readonly sinceReadyMs: number;
}

/** Sources first; what takes its files from one once that has the commit, as `flux reconcile --with-source` does. */
function listWanted({ sources, appliers, lineage }: Errand): readonly Wanted[] {
  const has = (id: string | undefined) => id !== undefined && lineage.descendants.has(id);
  const sourcesOf = new Map(sources.map((source) => [`${source.namespace}/${source.name}`, source]));
  const behind = sources.filter(({ isSuspended, fetched }) => !isSuspended && !has(fetched));
  const waiting = appliers.filter((applier) => judgeApplier(applier, lineage).kind === 'pending');
  return [
    ...behind.map((name) => ({ name, sinceReadyMs: 0 })),
    ...waiting.flatMap((applier): readonly Wanted[] => {
      const { object, excuse } = applier;
      if (object.kind === 'Application') return [{ name: object, sinceReadyMs: 0 }];
      const source: GitSource | undefined =
        object.source && sourcesOf.get(`${object.source.namespace}/${object.source.name}`);
      const isReady = source === undefined || has(source.fetched);
      const isAtWork = object.kind === 'Kustomization' && has(object.attempted);
      return isReady && !isAtWork && excuse === undefined ? [{ name: object, sinceReadyMs: graceMs }] : [];
    }),
  ];
}
