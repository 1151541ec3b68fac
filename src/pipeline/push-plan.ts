/** Makes one commit of a plan, on the branch as it is, or of a new plan where the branch moved. */
import type { Edit, Update } from '../edit/plan.ts';
import { createProblem, type Problem } from '../error/problem.ts';
import type { StoppedUpdate } from '../error/tallyman-error.ts';
import { readMarks } from '../hold/marks.ts';
import { identifyPlan } from './commit-message.ts';
import type { Clock, CommitAuthor, RepoHistory, YamlRepo } from './ports.ts';
import type { PlannedPass } from './run-pass.ts';
import { addStopped, listStopped } from './stopped-updates.ts';

/** One commit that a pass made. */
export interface MadeCommit {
  readonly commit: string;
  /** What `write.group` says; undefined for the repository's batch. */
  readonly group: string | undefined;
  readonly updates: readonly Update[];
  /** What the updates are made of. */
  readonly edits: readonly Edit[];
}

/** `made` is undefined where nothing was to be done, or the branch kept moving. */
interface PushedPlan {
  /** The last plan. */
  readonly planned: PlannedPass;
  readonly made: MadeCommit | undefined;
  readonly tries: number;
  readonly problems: readonly Problem[];
}

export interface PushContext {
  readonly repo: YamlRepo & RepoHistory;
  readonly clock: Clock;
  readonly author: CommitAuthor;
}

interface Planning {
  readonly first: PlannedPass;
  readonly group: string | undefined;
  readonly planAgain: () => Promise<PlannedPass>;
}

export const maxPushTries = 8;
/** So far back is looked for a commit whose answer was lost. */
const maxLookedBack = 1024;

/** Pushes, at most eight times. A commit that is there though its answer was lost is found by its plan, and made no second time. */
export async function pushPlan(
  context: PushContext,
  { first, group, planAgain }: Planning,
  options: { signal: AbortSignal },
): Promise<PushedPlan> {
  let planned = first;
  for (let tries = 1; ; tries += 1) {
    const { snapshot: base, changes, message, updates, edits, problems } = planned;
    if (message === undefined) return { planned, made: undefined, tries, problems };
    const whenMs = context.clock.wallMs();
    const outcome = await context.repo
      .push({ base, changes, message, author: context.author, whenMs }, options)
      .catch((error: unknown) => Promise.reject(addStopped(error, planned)));
    if (outcome.kind === 'pushed')
      return { planned, made: { commit: outcome.commit, group, updates, edits }, tries, problems };
    if (tries === maxPushTries) {
      return { planned, made: undefined, tries, problems: [...problems, describeRace(tries, listStopped(planned))] };
    }
    await pauseBeforeTry(context.clock, tries, options);
    const { commit: from } = await context.repo.fetch(options);
    const plan = identifyPlan(edits);
    const landed = await findPlan(context.repo, { from, until: base.commit, plan }, options);
    if (landed !== undefined) return { planned, made: { commit: landed, group, updates, edits }, tries, problems };
    planned = await planAgain();
  }
}

/** Longer each time, and never the same: who lost to each other shall not meet again. */
export async function pauseBeforeTry(clock: Clock, tries: number, options: { signal: AbortSignal }): Promise<void> {
  await clock.sleep(50 * tries * (0.5 + clock.random()), options);
  options.signal.throwIfAborted();
}

/** The commit newer than `until` that says it is of that plan. */
async function findPlan(
  repo: RepoHistory,
  { from, until, plan }: { from: string; until: string; plan: string },
  options: { signal: AbortSignal },
): Promise<string | undefined> {
  for (let count = 16; count <= maxLookedBack; count *= 4) {
    const { commits, complete } = await repo.listCommits(from, { ...options, count });
    const end = commits.findIndex(({ id }) => id === until);
    const newer = end === -1 ? commits : commits.slice(0, end);
    const found = newer.find(({ message }) => readMarks(message)?.plans.includes(plan));
    if (found !== undefined || end !== -1 || complete) return found?.id;
  }
  return undefined;
}

export function describeRace(tries: number, stops?: readonly StoppedUpdate[]): Problem {
  const message = `Cannot push: the branch moved ${tries} times while the commit was made, a quiet moment was wanted`;
  return createProblem('PushRaced', message, { stops });
}
