/** One pass in both modes: commits on the watched branch, then pull requests into it. */
import { earliest } from '../collection/earliest.ts';
import { dedupeProblems, toProblem } from '../error/problem.ts';
import { listTagQuestions } from './list-tag-questions.ts';
import type { TagQuestion } from './poll-images.ts';
import { proposeChanges } from './propose-changes.ts';
import type { Proposal } from './propose-step.ts';
import type { ProposingContext } from './proposing-context.ts';
import { type PassReport, runPass } from './run-pass.ts';

/** What a pass did, with what became of branches and pull requests. */
export interface WholeReport extends PassReport {
  readonly proposals: readonly Proposal[];
  /** What the policies ask registries, each image repository once. */
  readonly questions: readonly TagQuestion[];
}

/** Commits first, so that what is proposed is on top of them. Where the pull requests fail or are stopped, the commits are still told. */
export async function commitAndPropose(
  context: ProposingContext,
  options: { signal: AbortSignal },
): Promise<WholeReport> {
  const report = await runPass(context, options);
  const { policies } = report;
  const questions = listTagQuestions(policies, context);
  try {
    const { proposals, problems, wakeMs } = await proposeChanges(context, policies, options);
    // Both modes tell what is wrong with files.
    return {
      ...report,
      questions,
      proposals,
      problems: dedupeProblems([...report.problems, ...problems]),
      wakeMs: earliest([report.wakeMs, wakeMs]),
    };
  } catch (error) {
    const isStopped = options.signal.aborted;
    if (isStopped && report.commits.length === 0) throw error;
    const problems = isStopped ? report.problems : dedupeProblems([...report.problems, toProblem(error)]);
    return { ...report, questions, proposals: [], problems };
  }
}
