/** What a reconciler's object says of one commit. */
import type { Applier } from './match-objects.ts';
import type { Application, HelmRelease, Kustomization, ReadyReport } from './reconciler-object.ts';

/** A commit, and those that contain it: they descend from it on the branch. */
export interface Lineage {
  readonly commit: string;
  /** Ids of commits; itself among them. */
  readonly descendants: ReadonlySet<string>;
}

/** `superseded`: a later commit of the branch is applied, which contains it. */
export type Judgement =
  | { readonly kind: 'applied' | 'superseded'; readonly commit: string }
  | { readonly kind: 'failed'; readonly commit: string; readonly message: string }
  | { readonly kind: 'pending'; readonly said: string };

/** Reasons for `Ready: False` that say nothing of the commit: Flux goes on by itself. */
const unsettledReasons: readonly string[] = [
  'Progressing',
  'ProgressingWithRetry',
  'DependencyNotReady',
  'ArtifactFailed',
  'SourceNotReady',
  'HealthCheckCanceled',
];

/**
 * What the object says of the commit. What it says of commits that are not known to contain it is nothing.
 *
 * @example
 * judgeApplier({ object: { kind: 'Kustomization', applied: 'a1', attempted: 'a1' } }, { commit: 'a1', descendants: new Set(['a1']) }) // { kind: 'applied', commit: 'a1' }
 */
export function judgeApplier({ object, slots }: Pick<Applier, 'object' | 'slots'>, lineage: Lineage): Judgement {
  if (object.kind === 'Kustomization') return judgeKustomization(object, lineage);
  if (object.kind === 'HelmRelease') return judgeHelmRelease(object, lineage);
  return judgeApplication(object, slots, lineage);
}

function judgeKustomization({ applied, attempted, ready }: Kustomization, lineage: Lineage): Judgement {
  const reached = findIn(lineage, applied);
  if (reached !== undefined) return tellApplied(reached, lineage);
  return judgeReady(findIn(lineage, attempted), ready);
}

function judgeHelmRelease(release: HelmRelease, lineage: Lineage): Judgement {
  const reached = findIn(lineage, release.attempted);
  const isDone = release.ready?.status === 'True' && !release.isReconciling && release.isReleased !== false;
  if (reached !== undefined && isDone) return tellApplied(reached, lineage);
  return judgeReady(reached, release.ready);
}

/** Of what was tried and is not there. */
function judgeReady(attempted: string | undefined, ready: ReadyReport | undefined): Judgement {
  const said = describeReady(ready);
  const isVerdict = ready?.status === 'False' && !unsettledReasons.includes(ready.reason);
  return attempted !== undefined && isVerdict
    ? { kind: 'failed', commit: attempted, message: said }
    : { kind: 'pending', said };
}

/** What Flux says of an object, on one line. */
function describeReady(ready: ReadyReport | undefined): string {
  if (ready === undefined) return 'it says nothing';
  return [ready.reason, ready.message].filter((text) => text !== '').join(': ') || `Ready is ${ready.status}`;
}

function judgeApplication(app: Application, slots: readonly number[], lineage: Lineage): Judgement {
  const sources = slots.flatMap((index) => app.sources[index] ?? []);
  const first = (ids: readonly (string | undefined)[]) =>
    ids.map((id) => findIn(lineage, id)).find((id) => id !== undefined);
  const [compared, synced] = [first(sources.map((source) => source.compared)), first(sources.map((s) => s.synced))];
  const { operation, syncStatus, fault } = app;
  const pending: Judgement = { kind: 'pending', said: describeApplication(app) };
  if (synced !== undefined && operation !== undefined) {
    if (['Failed', 'Error'].includes(operation.phase))
      return { kind: 'failed', commit: synced, message: operation.message || `sync ${operation.phase}` };
    if (operation.phase !== 'Succeeded') return pending;
    // What it applied may not be all that there is to apply: `Synced` tells.
    if (!operation.isPartial) return tellApplied(synced, lineage);
  }
  if (compared === undefined) return pending;
  if (syncStatus === 'Synced') return tellApplied(compared, lineage);
  return syncStatus === 'Unknown' && fault !== '' ? { kind: 'failed', commit: compared, message: fault } : pending;
}

function describeApplication({ syncStatus, health, operation, fault }: Application): string {
  const parts = [syncStatus, health, operation && `sync ${operation.phase}`, operation?.message, fault];
  return parts.filter((part) => part !== undefined && part !== '').join(', ') || 'it says nothing';
}

function tellApplied(reached: string, { commit }: Lineage): Judgement {
  return { kind: reached === commit ? 'applied' : 'superseded', commit: reached };
}

/** The whole id of a commit that contains it, by its beginning too; undefined where it is not known to. */
function findIn({ commit, descendants }: Lineage, id: string | undefined): string | undefined {
  if (id === undefined) return undefined;
  if (descendants.has(id)) return id;
  if (id.length >= commit.length) return undefined;
  return [...descendants].find((descendant) => descendant.startsWith(id));
}
