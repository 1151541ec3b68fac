import { isError, type Problem, toProblem } from '../error/problem.ts';
import type { CheckReport } from '../pipeline/check-repo.ts';
import { formatReports, type RepoReport, type ReportFormat } from './format-report.ts';
import { type CommonFlags, exitCodes, type OpenSession, type RepoSession, withSession } from './session.ts';

/** `tallyman check`: validates policy files and their targets; asks no registry. Warnings alone leave the exit code at 0. */
export function checkCommand(flags: CommonFlags & { output: ReportFormat }, open: OpenSession): Promise<number> {
  return withSession(flags, open, async ({ session, signal }) => {
    const checked: { repo: string; report: CheckReport | { failure: Problem } }[] = [];
    for (const repo of session.repos) checked.push({ repo: repo.name, report: await checkOne(repo, signal) });
    const failed = checked.some(({ report }) => 'failure' in report);
    const reports: RepoReport[] = checked.map(({ repo, report }) =>
      'failure' in report ? { repo, policies: [], problems: [report.failure] } : { repo, ...report },
    );
    process.stdout.write(formatReports(reports, flags.output));
    if (failed) return exitCodes.failed;
    return reports.some((report) => report.problems.some(isError)) ? exitCodes.problems : exitCodes.ok;
  });
}

async function checkOne(repo: RepoSession, signal: AbortSignal): Promise<CheckReport | { failure: Problem }> {
  try {
    return await repo.check({ signal });
  } catch (error) {
    return { failure: toProblem(error) };
  }
}
