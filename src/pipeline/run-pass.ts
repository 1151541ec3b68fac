/** One pass over one Yaml repo: all stages in their order. */
import { applyPlan } from '../edit/apply-plan.ts';
import { type Edit, type Files, listUpdates, type Update } from '../edit/plan.ts';
import { planTargetEdits } from '../edit/plan-edits.ts';
import { createProblem, type Problem } from '../error/problem.ts';
import type { Selection } from '../select/selection.ts';
import type { Target } from '../target/target.ts';
import { formatCommitMessage } from './commit-message.ts';
import { createImageLookup, type ImageLookup } from './look-up-images.ts';
import { createImagePoller, type ImagePoller } from './poll-images.ts';
import type { Clock, CommitAuthor, Registry, Snapshot, YamlRepo } from './ports.ts';
import type { RepoMemory } from './repo-memory.ts';
import { selectImages } from './select-images.ts';

/** What a pass works with. */
export interface PassContext {
  readonly repo: YamlRepo;
  readonly registry: Registry;
  /** Shared by passes that follow each other; without one each pass asks the registry. */
  readonly poller?: ImagePoller;
  readonly clock: Clock;
  readonly memory: RepoMemory;
  readonly author: CommitAuthor;
  /** Questions that one registry host is asked at the same time. */
  readonly concurrency: number;
  /** Longest wait for the answer to one of them. */
  readonly timeoutMs: number;
  /** Hosts that policies may name; undefined allows all. */
  readonly allowedRegistries: readonly string[] | undefined;
}

/** What would be committed, and all that was found on the way. */
export interface PlannedPass {
  readonly snapshot: Snapshot;
  readonly policyCount: number;
  readonly selections: readonly Selection[];
  /** Edits of files that were proved; their new bytes are in `changes`. */
  readonly edits: readonly Edit[];
  readonly updates: readonly Update[];
  readonly changes: Files;
  /** The bytes that those files have now. */
  readonly before: Files;
  /** Undefined where nothing is to be committed. */
  readonly message: string | undefined;
  readonly problems: readonly Problem[];
}

/** What a pass did. `commit` is undefined where nothing was to be done, or nothing could be. */
export interface PassReport extends PlannedPass {
  readonly commit: string | undefined;
  readonly tries: number;
}

const maxPushTries = 8;

/** The registry's answers for one pass. */
export function openLookup(
  { registry, poller, clock, concurrency, timeoutMs }: PassContext,
  { signal }: { signal: AbortSignal },
): ImageLookup {
  const asking = poller ?? createImagePoller(registry, { intervalMs: 0, maxIntervalMs: 0, timeoutMs, clock });
  return createImageLookup({ registry, poller: asking }, { concurrency, timeoutMs, signal });
}

/** Looks, plans, commits and pushes; where the branch moved meanwhile, looks and plans again. A lost race writes nothing. */
export async function runPass(context: PassContext, options: { signal: AbortSignal }): Promise<PassReport> {
  const lookup = openLookup(context, options);
  for (let tries = 1; ; tries += 1) {
    const planned = await planPass(context, lookup, options);
    const { snapshot: base, changes, message } = planned;
    if (message === undefined) return { ...planned, commit: undefined, tries };
    const whenMs = context.clock.nowMs();
    const outcome = await context.repo.push({ base, changes, message, author: context.author, whenMs }, options);
    if (outcome.kind === 'pushed') return { ...planned, commit: outcome.commit, tries };
    if (tries === maxPushTries)
      return { ...planned, commit: undefined, tries, problems: [...planned.problems, describeRace(tries)] };
    await context.clock.sleep(50 * tries * (0.5 + context.clock.random()), options);
    options.signal.throwIfAborted();
  }
}

/** Everything but the commit: nothing is written. With `only`, for the policy of that key alone, and with its verdicts. */
export async function planPass(
  context: PassContext,
  lookup: ImageLookup,
  options: { signal: AbortSignal; only?: string },
): Promise<PlannedPass> {
  const snapshot = await context.repo.fetch(options);
  const contents = await context.memory.read(context.repo, snapshot, options);
  const { only } = options;
  const targets = contents.targets.filter(({ policy }) => only === undefined || policy.key === only);
  const { allowedRegistries, clock } = context;
  const selected = await selectImages(targets, {
    lookup,
    allowedRegistries,
    nowMs: clock.nowMs(),
    verdicts: only !== undefined,
  });
  const files = await readFiles(context, { snapshot, targets, selections: selected.selections }, options);
  const plan = planTargetEdits(files, targets, selected.selections);
  const applied = applyPlan(files, plan);
  const edits = plan.edits.filter((edit) => applied.files.has(edit.file));
  return {
    snapshot,
    policyCount: contents.policies.length,
    selections: selected.selections,
    edits,
    updates: listUpdates(edits),
    changes: applied.files,
    before: files,
    message: edits.length === 0 ? undefined : formatCommitMessage(edits, selected.sources),
    problems: [contents, selected, plan, applied].flatMap((stage) => stage.problems),
  };
}

/** The bytes of the files that may change: cost follows the changes, not the repository. */
async function readFiles(
  { repo }: PassContext,
  {
    snapshot,
    targets,
    selections,
  }: { snapshot: Snapshot; targets: readonly Target[]; selections: readonly Selection[] },
  options: { signal: AbortSignal },
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

function describeRace(tries: number): Problem {
  return createProblem(
    'PushRaced',
    `Cannot push: the branch moved ${tries} times while the commit was made, a quiet moment was wanted`,
  );
}
