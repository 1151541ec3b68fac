/** One pass in both modes: commits on the watched branch, then pull requests into it. */
import { dedupeProblems, toProblem } from '../error/problem.ts';
import { proposeChanges } from './propose-changes.ts';
import type { Proposal } from './propose-step.ts';
import type { ProposingContext } from './proposing-context.ts';
import { type PassReport, runPass } from './run-pass.ts';

/** What a pass did, with what became of branches and pull requests. */
export interface WholeReport extends PassReport {
  readonly proposals: readonly Proposal[];
}

/** Commits first, so that what is proposed is on top of them. Where the pull requests fail, the commits are still told. */
export async function commitAndPropose(
  context: ProposingContext,
  options: { signal: AbortSignal },
): Promise<WholeReport> {
  const report = await runPass(context, options);
  try {
    const { policies } = await context.memory.read(context.repo, report.snapshot, options);
    const { proposals, problems } = await proposeChanges(context, policies, options);
    // Both modes tell what is wrong with files.
    return { ...report, proposals, problems: dedupeProblems([...report.problems, ...problems]) };
  } catch (error) {
    options.signal.throwIfAborted();
    return { ...report, proposals: [], problems: dedupeProblems([...report.problems, toProblem(error)]) };
  }
}
