/** Shows how policies stand in the status of their objects, where the cluster has them. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { PolicyStanding, StatusBoard } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import type { PolicyStatus } from '../policy/status-schema.ts';
import type { KubernetesApi } from './api.ts';
import { createBell } from './bell.ts';
import { type ImagePolicyObject, imagePolicies, imagePolicyVersion, isImagePolicy } from './policy-objects.ts';
import { formatPath } from './resource-path.ts';
import { formatPlace, type WatchedObjects } from './watch-objects.ts';

export interface StatusOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly objects: Pick<WatchedObjects<ImagePolicyObject>, 'objects'>;
  readonly onProblem: (problem: Problem | undefined) => void;
}

export interface StatusWriter extends StatusBoard {
  /** The object is there anew, or was changed: by whom it was does not matter. */
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
  const standings = new Map<string, PolicyStanding>();
  const due = new Set<string>();
  const bell = createBell(clock);

  function touch(key: string): void {
    if (!standings.has(key)) return;
    due.add(key);
    bell.ring();
  }

  async function write(key: string, signal: AbortSignal): Promise<boolean> {
    const standing = standings.get(key);
    const object = watched.objects.get(key);
    if (standing === undefined || object === undefined) return false;
    const status = toStatus(standing, object, clock.wallMs());
    if (isSame(status, readStatus(object))) return false;
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
    if (answer.kind === 'done' || answer.status === 404) onProblem(undefined);
    else onProblem(describeRefusal(key, answer.message));
    return true;
  }

  return {
    show(told) {
      for (const standing of told) {
        if (!isImagePolicy(standing.object)) continue;
        const key = formatPlace(standing.object);
        standings.set(key, standing);
        touch(key);
      }
    },
    forget() {
      standings.clear();
      due.clear();
    },
    touch,
    async run({ signal }) {
      let retryMs = 0;
      while (!signal.aborted) {
        const [key] = due;
        if (key === undefined) {
          await bell.wait(Number.POSITIVE_INFINITY, signal);
          continue;
        }
        due.delete(key);
        try {
          if (await write(key, signal)) await clock.sleep(minPauseMs, { signal });
          retryMs = 0;
        } catch (error) {
          if (signal.aborted) return;
          due.add(key);
          onProblem(toProblem(error));
          retryMs = Math.min(Math.max(firstRetryMs, 2 * retryMs), maxRetryMs);
          await clock.sleep(retryMs * (0.5 + clock.random()), { signal });
        }
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

/** What the object should say; a commit of before and the times at which conditions began stay as they are. */
function toStatus(standing: PolicyStanding, object: ImagePolicyObject, wallMs: number): PolicyStatus {
  const { state, current, latest, reason, lastCommit, hold, nextLookMs, conditions } = standing;
  const { generation } = object.metadata;
  const known = readStatus(object);
  const now = new Date(wallMs).toISOString();
  const observed = generation !== undefined && { observedGeneration: generation };
  const isKnownCommit = lastCommit !== undefined && lastCommit.revision === known?.lastCommit?.revision;
  const commit =
    lastCommit === undefined || isKnownCommit
      ? known?.lastCommit
      : { revision: cut(lastCommit.revision, 128), version: cut(lastCommit.version, 512), time: now };
  return {
    ...observed,
    state,
    ...(current !== undefined && { current: cut(current, 1024) }),
    ...(latest !== undefined && { latest: cut(latest, 256) }),
    ...(reason !== undefined && { reason: cut(reason, 1024) }),
    ...(commit && { lastCommit: commit }),
    ...(hold && { hold: { reason: cut(hold.reason, 1024), remedy: cut(hold.remedy, 1024) } }),
    ...(nextLookMs !== undefined && { nextLookTime: new Date(nextLookMs).toISOString() }),
    conditions: conditions.map((condition) => {
      const before = known?.conditions?.find(({ type }) => type === condition.type);
      const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
      return { ...condition, message: cut(condition.message, 4096), lastTransitionTime, ...observed };
    }),
  };
}

/** The CRD's schema has checked it. */
function readStatus({ status }: ImagePolicyObject): PolicyStatus | undefined {
  return status as PolicyStatus | undefined;
}

/** Lengths of the schema count code points. */
function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${[...text].slice(0, maxLength - 1).join('')}…`;
}

/** In whatever order the API server has the fields. */
function isSame(status: PolicyStatus, found: PolicyStatus | undefined): boolean {
  return found !== undefined && serialize(status) === serialize(found);
}

function serialize(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
