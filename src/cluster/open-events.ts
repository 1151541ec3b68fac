/** Events put together: who tells, of which objects, and at what pace. */
import { hostname } from 'node:os';
import type { Problem } from '../error/problem.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import type { Metrics } from '../pipeline/metrics-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { KubernetesApi } from './api.ts';
import type { ObjectReference, Reporter } from './event-body.ts';
import { createEventRecorder, type RunningRecorder } from './event-recorder.ts';
import { type ImagePolicyObject, isImagePolicy } from './policy-objects.ts';
import { createEventSender } from './send-event.ts';
import { formatPlace, type WatchedObjects } from './watch-objects.ts';

/** The pod that this process runs in, as far as it was told. */
export interface OwnPod {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly uid: string | undefined;
}

export interface EventOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly pod: OwnPod;
  readonly policies: Pick<WatchedObjects<ImagePolicyObject>, 'objects'>;
  /** Whether it is known which there are, or that they may not be looked at. */
  readonly isReady: () => boolean;
  readonly forgetMs: number;
  readonly metrics: () => Pick<Metrics, 'count'>;
  readonly createTeller: () => (problem: Problem | undefined) => void;
}

/** Nothing is told before `run` or `flush`. */
export function openEvents({ api, clock, pod, policies, ...options }: EventOptions): RunningRecorder {
  const { createTeller, metrics, forgetMs, isReady } = options;
  const findObject = (about: ObjectName) => findPolicyObject(about, policies);
  const sender = createEventSender({ api, clock, reporter: describeReporter(pod, api.namespace), findObject });
  return createEventRecorder({
    sender,
    clock,
    forgetMs,
    metrics,
    isReady,
    onProblem: createTeller(),
    onLoss: createTeller(),
  });
}

function describeReporter(pod: OwnPod, apiNamespace: string): Reporter {
  const namespace = pod.namespace ?? apiNamespace;
  const instance = pod.name ?? hostname();
  if (pod.name === undefined)
    return { object: { apiVersion: 'v1', kind: 'Namespace', namespace, name: namespace }, instance };
  return { object: { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.name, uid: pod.uid }, instance };
}

function findPolicyObject(
  about: ObjectName,
  { objects }: Pick<WatchedObjects<ImagePolicyObject>, 'objects'>,
): Pick<ObjectReference, 'uid' | 'resourceVersion'> | undefined {
  const found = isImagePolicy(about) ? objects.get(formatPlace(about)) : undefined;
  return found && { uid: found.metadata.uid, resourceVersion: found.metadata.resourceVersion };
}
