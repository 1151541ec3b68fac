/** Flux's objects, as the API server gives them. Source: the API references of its source, kustomize and helm controllers. */
import { readField, readItems, readMessage, readText } from './read-field.ts';
import type { GitSource, HelmRelease, Kustomization, ReadyReport, SourceName } from './reconciler-object.ts';
import { parseChartRevision, parseFluxRevision } from './revision.ts';

interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** What Flux follows where nothing is said. Source: `spec.ref.branch` of the GitRepository API. */
const defaultBranch = 'master';

/**
 * A `GitRepository`; fields that are not as they should be count as not there.
 *
 * @example
 * readGitRepository({ spec: { ref: { tag: 'v1' } } }, { namespace: 'a', name: 'b' }).branch // undefined
 */
export function readGitRepository(object: unknown, { namespace, name }: Place): GitSource {
  return {
    kind: 'GitRepository',
    namespace,
    name,
    url: readText(object, 'spec', 'url') ?? '',
    branch: findBranch(readField(object, 'spec', 'ref')),
    isSuspended: readField(object, 'spec', 'suspend') === true,
    fetched: parseFluxRevision(readText(object, 'status', 'artifact', 'revision')),
    ready: findReady(object),
  };
}

/** In Flux's order: commit, name, semver, tag, branch. */
function findBranch(ref: unknown): string | undefined {
  const isSet = (key: string) => (readText(ref, key) ?? '') !== '';
  if (isSet('commit')) return undefined;
  if (isSet('name')) return /^refs\/heads\/(.+)$/.exec(readText(ref, 'name') ?? '')?.[1];
  if (isSet('semver') || isSet('tag')) return undefined;
  return readText(ref, 'branch') || defaultBranch;
}

/**
 * A `Kustomization`; fields that are not as they should be count as not there.
 *
 * @example
 * readKustomization({ spec: { path: './apps' } }, { namespace: 'a', name: 'b' }).path // './apps'
 */
export function readKustomization(object: unknown, { namespace, name }: Place): Kustomization {
  return {
    kind: 'Kustomization',
    namespace,
    name,
    source: findSource(readField(object, 'spec', 'sourceRef'), namespace),
    path: readText(object, 'spec', 'path') ?? '',
    isSuspended: readField(object, 'spec', 'suspend') === true,
    applied: parseFluxRevision(readText(object, 'status', 'lastAppliedRevision')),
    attempted: parseFluxRevision(readText(object, 'status', 'lastAttemptedRevision')),
    ready: findReady(object),
  };
}

/**
 * A `HelmRelease`; fields that are not as they should be count as not there.
 *
 * @example
 * readHelmRelease({ status: { lastAttemptedRevision: '1.0.0' } }, { namespace: 'a', name: 'b' }).attempted // undefined
 */
export function readHelmRelease(object: unknown, { namespace, name }: Place): HelmRelease {
  const version = readText(object, 'status', 'lastAttemptedRevision');
  const followsCommits = readText(object, 'spec', 'chart', 'spec', 'reconcileStrategy') === 'Revision';
  const released = readText(readItems(object, 'status', 'history')[0], 'chartVersion');
  return {
    kind: 'HelmRelease',
    namespace,
    name,
    source: findSource(readField(object, 'spec', 'chart', 'spec', 'sourceRef'), namespace),
    path: readText(object, 'spec', 'chart', 'spec', 'chart') ?? '',
    isSuspended: readField(object, 'spec', 'suspend') === true,
    followsCommits,
    // Charts may have versions of their own that look alike, and those of an OCIRepository have a digest there.
    attempted: followsCommits ? parseChartRevision(version) : undefined,
    isReleased: released === undefined ? undefined : released === version,
    isReconciling: readText(findCondition(object, 'Reconciling'), 'status') === 'True',
    ready: findReady(object),
  };
}

function findSource(ref: unknown, namespace: string): SourceName | undefined {
  const name = readText(ref, 'name');
  if (readText(ref, 'kind') !== 'GitRepository' || name === undefined) return undefined;
  return { namespace: readText(ref, 'namespace') || namespace, name };
}

function findReady(object: unknown): ReadyReport | undefined {
  const condition = findCondition(object, 'Ready');
  if (condition === undefined) return undefined;
  return {
    status: readMessage(condition, 'status'),
    reason: readMessage(condition, 'reason'),
    message: readMessage(condition, 'message'),
  };
}

function findCondition(object: unknown, type: string): unknown {
  return readItems(object, 'status', 'conditions').find((condition) => readText(condition, 'type') === type);
}
