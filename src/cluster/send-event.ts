/** Tells one event: creates it, or goes on with its series where it is there already. */
import type { ErrorCode } from '../error/catalogue.ts';
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import { type ObjectName, TallymanError } from '../error/tallyman-error.ts';
import type { Clock } from '../pipeline/ports.ts';
import { isObjectName } from '../policy/object-name.ts';
import type { ApiAnswer, KubernetesApi } from './api.ts';
import {
  formatEvent,
  formatSeries,
  nameEvent,
  type ObjectReference,
  type Reporter,
  type Telling,
} from './event-body.ts';
import { type Entry, minGapMs } from './event-book.ts';
import { formatPath } from './resource-path.ts';

/** `repeated`: it was there. `refused`: the API server does not take it, and would not take it again. */
export type Told = 'created' | 'repeated' | 'refused';

export interface EventSender {
  /** Throws `ClusterUnavailable`, and `ClusterDenied` where it may be told nowhere; then it may be tried again. */
  send(entry: Entry, options: { signal: AbortSignal }): Promise<Told>;
  /** What keeps events from where they belong, until they are told there. */
  findTrouble(): Problem | undefined;
}

export interface SenderOptions {
  readonly api: Pick<KubernetesApi, 'request'>;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly reporter: Reporter;
  /** What the cluster knows the object by; undefined where it has none. */
  readonly findObject: (name: ObjectName) => Pick<ObjectReference, 'uid' | 'resourceVersion'> | undefined;
}

const events = { group: 'events.k8s.io', version: 'v1', plural: 'events' };
const maxTries = 3;
/** A namespace that is not there, or not allowed, is not tried for so long. */
const awayMs = 10 * 60_000;
/** Where nobody tried again for so long after that, it may be over. What goes on is tried more often. */
const rememberMs = 60 * 60_000;
/** An API server that starts refuses for some seconds what it allows later: it does not know the roles yet. */
const settlingMs = 30_000;

interface EventObject {
  readonly metadata: { readonly resourceVersion?: string };
  readonly eventTime?: string | null;
  readonly series?: { readonly count: number; readonly lastObservedTime: string } | null;
}

type Outcome = Told | 'missing';

/** Where the namespace of an object is not there or not allowed, it is told about the reporter, and names the object. */
export function createEventSender({ api, clock, reporter, findObject }: SenderOptions): EventSender {
  const away = new Map<string, { readonly untilMs: number; readonly problem: Problem | undefined }>();
  let refusal: Problem | undefined;
  let settledMs = Number.NEGATIVE_INFINITY;

  function isAway(namespace: string): boolean {
    return (away.get(namespace)?.untilMs ?? 0) > clock.nowMs();
  }

  async function change(telling: Telling, body: object, signal: AbortSignal): Promise<ApiAnswer<EventObject>> {
    const path = formatPath(events, { namespace: telling.regarding.namespace, name: nameEvent(telling) });
    return await api.request<EventObject>({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body,
      signal,
    });
  }

  /** Undefined where it is not there any more. */
  async function repeat(telling: Telling, entry: Entry, signal: AbortSignal): Promise<Told | undefined> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      if (entry.known?.resourceVersion === undefined) {
        // Changes nothing, and so needs no right to read all that is told there.
        const found = await change(telling, {}, signal);
        if (found.kind === 'refused') return readRefusal(telling, found);
        entry.known = toKnown(found.body);
        if (clock.wallMs() - lastOf(found.body) < minGapMs) return 'repeated';
      }
      const { count, resourceVersion } = entry.known;
      const series = formatSeries({ count: count + entry.seen - entry.told, lastMs: entry.lastMs });
      const seen = entry.seen;
      const answer = await change(telling, { metadata: { resourceVersion }, series }, signal);
      if (answer.kind === 'done') {
        Object.assign(entry, { known: toKnown(answer.body), told: seen });
        return 'repeated';
      }
      entry.known = undefined;
      // Told by another worker meanwhile: then that counts.
      if (answer.status !== 409) return readRefusal(telling, answer);
    }
    return 'repeated';
  }

  async function create(telling: Telling, entry: Entry, signal: AbortSignal): Promise<Outcome | 'there'> {
    const { firstMs, lastMs, seen } = entry;
    const { namespace } = telling.regarding;
    const body = formatEvent(telling, { firstMs, lastMs, count: seen }, reporter);
    const path = formatPath(events, { namespace });
    const answer = await api.request<EventObject>({ method: 'POST', path, body, signal });
    if (answer.kind === 'done') {
      Object.assign(entry, { known: toKnown(answer.body), told: seen });
      return 'created';
    }
    if (answer.status === 409) return 'there';
    return readRefusal(telling, answer) ?? 'missing';
  }

  async function tell(telling: Telling, entry: Entry, signal: AbortSignal): Promise<Outcome> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const repeated = entry.known === undefined ? undefined : await repeat(telling, entry, signal);
      if (repeated !== undefined) return repeated;
      const created = await create(telling, entry, signal);
      if (created !== 'there') return created;
      if (!entry.event.repeats) break;
      entry.known = { count: 1, resourceVersion: undefined };
    }
    entry.known = { count: 1, resourceVersion: undefined };
    entry.told = entry.seen;
    return 'repeated';
  }

  /** Undefined where something is not there. */
  function readRefusal({ event }: Telling, answer: ApiAnswer<unknown> & { kind: 'refused' }): 'refused' | undefined {
    if (answer.status === 404) return undefined;
    const message = `Cannot tell ${event.reason} as an Event: the API server says "${answer.message}", an answer was wanted`;
    refusal = createProblem('ClusterDenied', message);
    return 'refused';
  }

  /** Where it belongs; undefined where it cannot be told there. */
  async function tellThere(about: ObjectName, entry: Entry, signal: AbortSignal): Promise<Told | undefined> {
    if (isAway(about.namespace)) return undefined;
    const told = await tell({ event: entry.event, regarding: { ...about, ...findObject(about) } }, entry, signal);
    if (told === 'missing') away.set(about.namespace, { untilMs: clock.nowMs() + awayMs, problem: undefined });
    else away.delete(about.namespace);
    return told === 'missing' ? undefined : told;
  }

  async function tellHere(entry: Entry, signal: AbortSignal): Promise<Told> {
    const told = await tell({ event: entry.event, regarding: reporter.object }, entry, signal);
    if (told !== 'missing') return told;
    const { namespace } = reporter.object;
    const message = `Cannot tell Events in namespace "${namespace}": it is not there, that of Tallyman was wanted`;
    const remedy = 'Set POD_NAMESPACE to the namespace of the pod, or name one in the context of the kubeconfig.';
    throw new TallymanError('ClusterDenied', message, { remedy });
  }

  async function tellSomewhere(entry: Entry, signal: AbortSignal): Promise<Told> {
    const { about } = entry.event;
    // Files say anything: what nothing in a cluster is called by is told at home.
    if (about === undefined || !isObjectName(about)) return await tellHere(entry, signal);
    let denied: TallymanError | undefined;
    try {
      const told = await tellThere(about, entry, signal);
      if (told !== undefined) return told;
    } catch (error) {
      if (!isTold(error, 'ClusterDenied') || clock.nowMs() < settledMs) throw error;
      denied = error;
    }
    const told = await tellHere(entry, signal);
    // Not before: where nothing may be told at all, this namespace is none that is kept from us.
    if (denied !== undefined) {
      const problem = isEnding(denied) ? undefined : toProblem(denied);
      away.set(about.namespace, { untilMs: clock.nowMs() + awayMs, problem });
    }
    return told;
  }

  return {
    async send(entry, { signal }) {
      try {
        const told = await tellSomewhere(entry, signal);
        if (told !== 'refused') refusal = undefined;
        return told;
      } catch (error) {
        if (isTold(error, 'ClusterUnavailable')) settledMs = clock.nowMs() + settlingMs;
        throw error;
      }
    },
    findTrouble() {
      const nowMs = clock.nowMs();
      const known = [...away.values()].find(({ problem, untilMs }) => problem && nowMs < untilMs + rememberMs);
      return known?.problem ?? refusal;
    },
  };
}

function isTold(error: unknown, code: ErrorCode): error is TallymanError {
  return error instanceof TallymanError && error.code === code;
}

/** A namespace that is being deleted takes nothing new: it counts as one that is not there. */
function isEnding(error: TallymanError): boolean {
  return error.message.includes('being terminated');
}

function toKnown({ metadata, series }: EventObject): Entry['known'] & object {
  return { count: series?.count ?? 1, resourceVersion: metadata.resourceVersion };
}

/** When it was told last, by the wall's clock. */
function lastOf({ eventTime, series }: EventObject): number {
  return Date.parse(series?.lastObservedTime ?? eventTime ?? '') || 0;
}
