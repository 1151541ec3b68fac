/** Argo CD's Applications, as the API server gives them. Source: the types of `argoproj.io/v1alpha1`. */
import { resolveGlob } from '../policy/glob.ts';
import { readField, readItems, readMessage, readText } from './read-field.ts';
import type { Application, ApplicationSource, SyncOperation } from './reconciler-object.ts';
import { parseCommitId } from './revision.ts';

/** Folders besides its own that an Application is made of, by which Argo CD saves itself work. */
const pathsAnnotation = 'argocd.argoproj.io/manifest-generate-paths';
/** Conditions that say why it cannot go on. */
const faultTypes: readonly string[] = ['ComparisonError', 'SyncError', 'InvalidSpecError'];

/**
 * An `Application`; fields that are not as they should be count as not there.
 *
 * @example
 * readApplication({ spec: { syncPolicy: { automated: {} } } }, { namespace: 'a', name: 'b' }).isAutomated // true
 */
export function readApplication(
  object: unknown,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Application {
  const automated = readField(object, 'spec', 'syncPolicy', 'automated');
  return {
    kind: 'Application',
    namespace,
    name,
    sources: readSources(object),
    isAutomated: typeof automated === 'object' && automated !== null && readField(automated, 'enabled') !== false,
    syncStatus: readMessage(object, 'status', 'sync', 'status'),
    health: readMessage(object, 'status', 'health', 'status'),
    operation: readOperation(readField(object, 'status', 'operationState')),
    fault: findFault(object),
  };
}

/** `spec.sources` takes the place of `spec.source`, and then so do lists of revisions. */
function readSources(object: unknown): readonly ApplicationSource[] {
  const several = readItems(object, 'spec', 'sources');
  const sources = several.length > 0 ? several : [readField(object, 'spec', 'source')];
  const more = readText(object, 'metadata', 'annotations', pathsAnnotation);
  const revisionOf = (place: unknown, index: number): string | undefined => {
    const found = several.length > 0 ? readItems(place, 'revisions')[index] : readField(place, 'revision');
    return parseCommitId(typeof found === 'string' ? found : undefined);
  };
  const state = readField(object, 'status', 'operationState');
  return sources.map((source, index) => ({
    url: readText(source, 'repoURL') ?? '',
    revision: readText(source, 'targetRevision') ?? '',
    paths: listPaths(readText(source, 'path') ?? '', more),
    isChart: (readText(source, 'chart') ?? '') !== '',
    compared: revisionOf(readField(object, 'status', 'sync'), index),
    // What failed early has no result, only what was asked for.
    synced:
      revisionOf(readField(state, 'syncResult'), index) ?? revisionOf(readField(state, 'operation', 'sync'), index),
  }));
}

/** Each folder once, from the repository's root; one that leads out is none. */
function listPaths(path: string, more: string | undefined): readonly string[] {
  const own = resolveGlob('', path);
  if (own === undefined) return [];
  const others = (more ?? '').split(';').map((text) => text.trim());
  const found = others.flatMap((text) => (text === '' ? [] : (resolveGlob(own, text) ?? [])));
  return [...new Set([own, ...found])];
}

function readOperation(state: unknown): SyncOperation | undefined {
  const phase = readMessage(state, 'phase');
  if (phase === '') return undefined;
  const isPartial =
    readItems(state, 'operation', 'sync', 'resources').length > 0 ||
    readField(state, 'operation', 'sync', 'dryRun') === true;
  return { phase, message: readMessage(state, 'message'), isPartial };
}

function findFault(object: unknown): string {
  const fault = readItems(object, 'status', 'conditions').find((condition) =>
    faultTypes.includes(readText(condition, 'type') ?? ''),
  );
  return fault === undefined ? '' : `${readMessage(fault, 'type')}: ${readMessage(fault, 'message')}`;
}
