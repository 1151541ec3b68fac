/** One pass over one Yaml repo: all stages in their order. */
import { earliest } from '../collection/earliest.ts';
import { applyPlan } from '../edit/apply-plan.ts';
import { type Edit, type Files, listUpdates, type Update } from '../edit/plan.ts';
import { planTargetEdits } from '../edit/plan-edits.ts';
import { type Problem, toProblem } from '../error/problem.ts';
import type { Hold } from '../hold/hold.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { Target } from '../target/target.ts';
import { formatCommitMessage } from './commit-message.ts';
import type { FoundHolds, HoldMemory } from './find-holds.ts';
import { findKept } from './find-kept.ts';
import type { Ledger } from './job-ports.ts';
import { createImageLookup, type ImageLookup } from './look-up-images.ts';
import { describeHeld } from './policy-problems.ts';
import { createImagePoller, type ImagePoller } from './poll-images.ts';
import type { Clock, CommitAuthor, Registry, RepoHistory, Snapshot, YamlRepo } from './ports.ts';
import { type MadeCommit, pushPlan } from './push-plan.ts';
import type { RepoMemory } from './repo-memory.ts';
import { type SelectedImages, selectImages } from './select-images.ts';

/** What a pass works with. */
export interface PassContext {
  readonly repo: YamlRepo & RepoHistory;
  readonly registry: Registry;
  readonly ledger: Ledger;
  /** Shared by passes that follow each other; without one each pass asks the registry. */
  readonly poller?: ImagePoller;
  readonly clock: Clock;
  readonly memory: RepoMemory;
  readonly holds: HoldMemory;
  readonly author: CommitAuthor;
  /** Tag lists that one registry host is asked for at the same time, and manifests. */
  readonly concurrency: number;
  /** Hosts that policies may name; undefined allows all. */
  readonly allowedRegistries: readonly string[] | undefined;
}

/** What would be committed, and all that was found on the way. */
export interface PlannedPass {
  readonly snapshot: Snapshot;
  /** All that can be used, in both modes. */
  readonly policies: readonly Policy[];
  readonly selections: readonly Selection[];
  /** Edits of files that were proved; their new bytes are in `changes`. */
  readonly edits: readonly Edit[];
  readonly updates: readonly Update[];
  readonly changes: Files;
  /** The bytes that those files have now. */
  readonly before: Files;
  /** Groups of the policies that are written, each a commit of its own; undefined is the repository's batch. */
  readonly groups: readonly (string | undefined)[];
  /** Undefined where nothing is to be committed. */
  readonly message: string | undefined;
  /** By the keys of the policies that a person holds, of those that were asked for: all with something to write. */
  readonly holds: ReadonlyMap<string, Hold>;
  readonly problems: readonly Problem[];
  /** As that of `SelectedImages`. */
  readonly wakeMs: number | undefined;
}

/** What a pass did. */
export interface PassReport extends PlannedPass {
  /** In the order in which they were made; none where nothing was to be done, or nothing could be. */
  readonly commits: readonly MadeCommit[];
  /** The last of them. */
  readonly commit: string | undefined;
  /** Most tries that one of them took. */
  readonly tries: number;
}

/** Chooses versions for these targets; with `holds`, for none but policies that a person holds. */
export type ChooseVersions = (
  targets: readonly Target[],
  holds: ReadonlyMap<string, Hold> | undefined,
) => Promise<SelectedImages>;

export interface PlanOptions {
  readonly signal: AbortSignal;
  /** For these policies alone. */
  readonly wants?: (policy: Policy) => boolean;
  /** Also why each tag was not chosen, and whether these policies are held though they have nothing to write. */
  readonly explain?: boolean;
  /** In place of the policies' own choice among the registry's tags. */
  readonly choose?: ChooseVersions;
}

/** The registry's answers for one pass. */
export function openLookup(
  { registry, poller, clock, concurrency }: PassContext,
  { signal }: { signal: AbortSignal },
): ImageLookup {
  const always = { intervalMs: 0, maxIntervalMs: 0 };
  const asking = poller ?? createImagePoller(registry, { ...always, clock, concurrency, signal });
  return createImageLookup(asking, { signal });
}

/**
 * Looks, plans, commits and pushes, group by group; where the branch moved meanwhile, looks and plans again. A lost race
 * writes nothing. Policies that ask for pull requests are left out. Where a later group fails or is stopped, what was
 * committed before is still told.
 */
export async function runPass(context: PassContext, options: PlanOptions): Promise<PassReport> {
  const lookup = openLookup(context, options);
  const wants = (policy: Policy) => policy.mode !== 'pull-request' && (options.wants?.(policy) ?? true);
  const whole = await planPass(context, lookup, { ...options, wants });
  const [only, ...more] = whole.groups;
  if (more.length === 0) {
    const planAgain = () => planPass(context, lookup, { ...options, wants });
    const { planned, made, tries, problems } = await pushPlan(
      context,
      { first: whole, group: only, planAgain },
      options,
    );
    return { ...planned, problems, commits: made === undefined ? [] : [made], commit: made?.commit, tries };
  }
  const commits: MadeCommit[] = [];
  const problems = [...whole.problems];
  let mostTries = 0;
  for (const group of whole.groups) {
    const inGroup = (policy: Policy) => policy.group === group && wants(policy);
    const planAgain = () => planPass(context, lookup, { ...options, wants: inGroup });
    try {
      const pushed = await pushPlan(context, { first: await planAgain(), group, planAgain }, options);
      if (pushed.made !== undefined) commits.push(pushed.made);
      problems.push(...pushed.problems.filter(({ code }) => code === 'PushRaced'));
      mostTries = Math.max(mostTries, pushed.tries);
    } catch (error) {
      if (commits.length === 0) throw error;
      if (!options.signal.aborted) problems.push(toProblem(error));
      break;
    }
  }
  return { ...whole, problems, commits, commit: commits.at(-1)?.commit, tries: mostTries };
}

/** Everything but the commit: nothing is written. */
export async function planPass(context: PassContext, lookup: ImageLookup, options: PlanOptions): Promise<PlannedPass> {
  const { wants = () => true, explain = false } = options;
  const snapshot = await context.repo.fetch(options);
  const contents = await context.memory.read(context.repo, snapshot, options);
  const targets = contents.targets.filter(({ policy }) => wants(policy));
  const choose: ChooseVersions =
    options.choose ??
    ((some, holds) => selectImages(some, { ...toSelecting(context, options), lookup, verdicts: explain, holds }));
  const stages = { snapshot, targets, options };
  const free = await planSelected(context, stages, await choose(targets, undefined));
  const pending = explain ? contents.policies.filter(wants) : listPolicies(targets, free.edits);
  const { holds, written } = await findHolds(context, { snapshot, targets, pending }, options);
  const selected = holds.size === 0 ? free.selected : await chooseAgain({ targets, holds, choose }, free.selected);
  const { edits, ...planned } = holds.size === 0 ? free : await planSelected(context, stages, selected);
  const kept = findKept({ targets, edits, written });
  const said = { sources: selected.sources, holds, kept, base: snapshot.commit };
  return {
    snapshot,
    policies: contents.policies,
    selections: selected.selections,
    edits,
    updates: listUpdates(edits),
    changes: planned.changes,
    before: planned.before,
    groups: [...new Set(listPolicies(targets, edits).map(({ group }) => group))].sort(),
    message: edits.length === 0 ? undefined : formatCommitMessage(edits, said),
    holds,
    problems: [...contents.problems, ...selected.problems, ...planned.problems, ...listHeld(targets, selected, holds)],
    wakeMs: selected.wakeMs,
  };
}

/** What choosing takes of a pass. */
export function toSelecting(
  { ledger, allowedRegistries, clock, poller }: PassContext,
  { signal }: { signal: AbortSignal },
) {
  return { ledger, allowedRegistries, clock, watches: poller !== undefined, signal };
}

interface Stages {
  readonly snapshot: Snapshot;
  readonly targets: readonly Target[];
  readonly options: { signal: AbortSignal };
}

/** From versions chosen to bytes proved. */
async function planSelected(context: PassContext, stages: Stages, selected: SelectedImages) {
  const { targets } = stages;
  const before = await readFiles(context, stages, selected.selections);
  const plan = planTargetEdits(before, targets, selected.selections);
  const { files: changes, problems } = applyPlan(before, plan);
  const edits = plan.edits.filter((edit) => changes.has(edit.file));
  return { selected, before, changes, edits, problems: [...plan.problems, ...problems] };
}

/** A policy with nothing to write is asked about in explanations only: the usual pass reads no history. */
async function findHolds(
  { repo, holds }: PassContext,
  { snapshot, targets, pending }: Pick<Stages, 'snapshot' | 'targets'> & { pending: readonly Policy[] },
  options: { signal: AbortSignal },
): Promise<FoundHolds> {
  if (pending.length === 0) return { holds: new Map(), written: [] };
  return await holds.find(repo, { commit: snapshot.commit, policies: pending, targets }, options);
}

/** What was chosen, with the held policies' part chosen again. */
async function chooseAgain(
  { targets, holds, choose }: { targets: readonly Target[]; holds: ReadonlyMap<string, Hold>; choose: ChooseVersions },
  free: SelectedImages,
): Promise<SelectedImages> {
  const isFree = ({ policy }: { policy?: string }): boolean => policy === undefined || !holds.has(policy);
  const again = await choose(
    targets.filter(({ policy }) => !isFree({ policy: policy.key })),
    holds,
  );
  return {
    selections: [...free.selections.filter(isFree), ...again.selections],
    sources: new Map([...free.sources, ...again.sources]),
    problems: [...free.problems.filter(isFree), ...again.problems],
    wakeMs: earliest([free.wakeMs, again.wakeMs]),
  };
}

function listHeld(
  targets: readonly Target[],
  { selections }: SelectedImages,
  holds: ReadonlyMap<string, Hold>,
): readonly Problem[] {
  const held = new Set(selections.filter(({ kind }) => kind === 'held').map(({ policy }) => policy));
  const policies = new Set(targets.map(({ policy }) => policy).filter(({ key }) => held.has(key)));
  return [...policies].flatMap((policy) => {
    const hold = holds.get(policy.key);
    return hold === undefined ? [] : [describeHeld(policy, hold)];
  });
}

/** The policies that edits are made for. */
function listPolicies(targets: readonly Target[], edits: readonly Edit[]): readonly Policy[] {
  const keys = new Set(edits.map(({ update }) => update.policy));
  return [...new Set(targets.map(({ policy }) => policy).filter(({ key }) => keys.has(key)))];
}

/** The bytes of the files that may change: cost follows the changes, not the repository. */
async function readFiles(
  { repo }: PassContext,
  { snapshot, targets, options }: Stages,
  selections: readonly Selection[],
): Promise<Files> {
  const moving = new Set(
    selections.filter(({ kind, digest }) => kind === 'update' || digest !== undefined).map(({ policy }) => policy),
  );
  const paths = new Set(targets.filter((target) => moving.has(target.policy.key)).map((target) => target.file));
  const files = paths.size === 0 ? [] : snapshot.files.filter((file) => paths.has(file.path));
  const blobs =
    files.length === 0
      ? new Map<string, Uint8Array>()
      : await repo.readBlobs(new Set(files.map((file) => file.oid)), options);
  return new Map(
    files.flatMap(({ path, oid }) => {
      const bytes = blobs.get(oid);
      return bytes === undefined ? [] : [[path, bytes] as const];
    }),
  );
}
