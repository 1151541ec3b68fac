/** Shows how policies stand in the status of their objects, where the cluster has them. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { StatusBoard } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { PolicyStatus } from '../policy/status-schema.ts';
import type { KubernetesApi } from './api.ts';
import { createBell } from './bell.ts';
import { type ImagePolicyObject, imagePolicies, imagePolicyVersion, isImagePolicy } from './policy-objects.ts';
import { formatPath } from './resource-path.ts';
import { cutSource, isGone, isSameStatus, readStatus, type ShownPolicy, toStatus } from './status-body.ts';
import { formatPlace, type WatchedObjects } from './watch-objects.ts';

export interface StatusOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly objects: Pick<WatchedObjects<ImagePolicyObject>, 'objects'>;
  readonly onProblem: (problem: Problem | undefined) => void;
}

export interface StatusWriter extends StatusBoard {
  /** The object is there anew, or was changed by anybody. */
  touch(key: string): void;
  /** Writes until the signal aborts. Never throws. */
  run(options: { signal: AbortSignal }): Promise<void>;
}

/** What a pass over thousands of policies changes shall not take the API server's whole attention. */
const minPauseMs = 50;
const firstRetryMs = 1000;
const maxRetryMs = 60_000;

/** Nothing is shown before `run`. What is as it should be is not written again. */
export function createStatusWriter({ api, clock, objects: watched, onProblem }: StatusOptions): StatusWriter {
  /** What was told last, by source and key. */
  const shown = new Map<string, Map<string, ShownPolicy>>();
  const due = new Set<ShownPolicy>();
  /** By the keys of what could not be written. */
  const troubles = new Map<string, Problem>();
  let sources: ReadonlySet<string> = new Set();
  let retryMs = 0;
  const bell = createBell(clock);

  const isStillShown = (policy: ShownPolicy) => shown.get(policy.source)?.get(policy.key) === policy;

  function settle({ key }: ShownPolicy, problem?: Problem): void {
    if (problem === undefined) troubles.delete(key);
    else troubles.set(key, problem);
    tell();
  }

  function tell(): void {
    const [first] = troubles.values();
    onProblem(first);
  }

  async function write(policy: ShownPolicy, signal: AbortSignal): Promise<boolean> {
    const object = watched.objects.get(policy.key);
    const status = object && findStatus(policy, object);
    if (object === undefined || status === undefined) {
      settle(policy);
      return false;
    }
    const { namespace, name } = object.metadata;
    const answer = await api.request({
      method: 'PATCH',
      path: formatPath(imagePolicies, { namespace, name, subresource: 'status' }),
      query: { fieldManager: 'tallyman', force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: imagePolicyVersion, kind: 'ImagePolicy', metadata: { namespace, name }, status },
      signal,
    });
    // Gone meanwhile.
    const isDone = answer.kind === 'done' || answer.status === 404;
    settle(policy, isDone ? undefined : describeRefusal(policy.key, answer.message));
    return true;
  }

  /** How long to wait before the next one, in milliseconds. */
  async function step(policy: ShownPolicy, signal: AbortSignal): Promise<number> {
    due.delete(policy);
    try {
      const isWritten = await write(policy, signal);
      retryMs = 0;
      return isWritten ? minPauseMs : 0;
    } catch (error) {
      if (signal.aborted || !isStillShown(policy)) return minPauseMs;
      due.add(policy);
      const problem = toProblem(error);
      // What is not allowed in one namespace may be in others: they do not wait for it.
      const isFirst = problem.code === 'ClusterDenied' && !troubles.has(policy.key);
      settle(policy, problem);
      if (isFirst) return minPauseMs;
      retryMs = Math.min(Math.max(firstRetryMs, 2 * retryMs), maxRetryMs);
      return retryMs * (0.5 + clock.random());
    }
  }

  /** Undefined where nothing is to be written: it says so, or what another Yaml repo shows there is left to that. */
  function findStatus(policy: ShownPolicy, object: ImagePolicyObject): PolicyStatus | undefined {
    const known = readStatus(object);
    const owner = known?.source;
    const isOurs = owner === policy.source;
    const isKept = owner !== undefined && sources.has(owner) && !isGone(known);
    if (!isOurs && (policy.standing === undefined || isKept)) return undefined;
    const status = toStatus(policy, object, clock.wallMs());
    return isSameStatus(status, known) ? undefined : status;
  }

  /**
   * Only what nobody has spoken of is written: several processes show policies, and each would put right what the other says.
   * Who spoke last knows better, and what differs from that is not shown again before the next pass. Where the last one says that
   * the policy is gone, the other Yaml repos that have it speak of it.
   */
  function touch(key: string): void {
    const object = watched.objects.get(key);
    if (object === undefined) return;
    const status = readStatus(object);
    const isOpen = status?.source === undefined || status.observedGeneration !== object.metadata.generation;
    for (const [source, policies] of shown) {
      const policy = policies.get(key);
      if (policy === undefined || due.has(policy)) continue;
      const isOurs = status?.source === source;
      if (isOpen || (isGone(status) && !isOurs)) due.add(policy);
      else if (isOurs && findStatus(policy, object) !== undefined) policies.delete(key);
    }
    if (due.size > 0) bell.ring();
  }

  return {
    show(standings, { source: name, sources: names }) {
      const source = cutSource(name);
      sources = new Set(names.map(cutSource));
      const ours = standings.filter(({ object }) => isImagePolicy(object));
      const keyed = ours.map((standing) => ({ key: formatPlace(standing.object), source, standing }));
      const policies = new Map<string, ShownPolicy>(keyed.map((policy) => [policy.key, policy]));
      for (const [key, object] of watched.objects)
        if (readStatus(object)?.source === source && !policies.has(key))
          policies.set(key, { key, source, standing: undefined });
      for (const policy of due) if (policy.source === source) due.delete(policy);
      for (const policy of policies.values()) due.add(policy);
      shown.set(source, policies);
      const isShown = (key: string) => [...shown.values()].some((some) => some.has(key));
      for (const key of troubles.keys()) if (!isShown(key)) troubles.delete(key);
      tell();
      bell.ring();
    },
    forget() {
      for (const part of [shown, due, troubles]) part.clear();
    },
    touch,
    async run({ signal }) {
      while (!signal.aborted) {
        const [policy] = due;
        const pauseMs = policy && (await step(policy, signal));
        if (pauseMs === undefined) await bell.wait(Number.POSITIVE_INFINITY, signal);
        else if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
      }
    },
  };
}

/** What is refused would be refused again. */
function describeRefusal(key: string, found: string): Problem {
  const message = `Cannot write the status of ImagePolicy "${key}": ${found}, a CRD that knows its fields was wanted`;
  const remedy = 'Apply deploy/crd of this version of Tallyman: `kubectl apply -k deploy/crd`.';
  return createProblem('ClusterDenied', message, { policy: key, remedy });
}
