import { formatProblem, toProblem } from '../error/problem.ts';
import type { CheckReport } from '../pipeline/check-repo.ts';
import { type CommonFlags, exitCodes, type OpenSession, type RepoSession, withSession } from './session.ts';

/** `tallyman check`: validates policy files and their targets; asks no registry. */
export function checkCommand(flags: CommonFlags & { output?: string }, open: OpenSession): Promise<number> {
  return withSession(flags, open, async ({ session, signal }) => {
    const reports = [];
    for (const repo of session.repos) reports.push({ repo: repo.name, ...(await checkOne(repo, signal)) });
    const problems = reports.reduce((sum, report) => sum + report.problems.length, 0);
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(reports, null, 2)}\n` : formatReports(reports));
    return problems === 0 ? exitCodes.ok : exitCodes.problems;
  });
}

async function checkOne(repo: RepoSession, signal: AbortSignal): Promise<CheckReport> {
  try {
    return await repo.check({ signal });
  } catch (error) {
    return { policies: [], problems: [toProblem(error)] };
  }
}

function formatReports(reports: readonly (CheckReport & { repo: string })[]): string {
  const lines = reports.flatMap(({ repo, policies, problems }) => [
    ...problems.map(formatProblem),
    `${repo}: ${policies.length} policies, ${policies.reduce((sum, { targets }) => sum + targets.length, 0)} targets, ${problems.length} problems`,
  ]);
  return `${lines.join('\n')}\n`;
}
