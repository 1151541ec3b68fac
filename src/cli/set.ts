import { printable } from '../error/printable.ts';
import { formatProblem, type Problem, toProblem } from '../error/problem.ts';
import { parseImageReference } from '../image/reference.ts';
import { type ImageToSet, type SetReport, setImage } from '../pipeline/set-image.ts';
import { type CommonFlags, exitCodes, type OpenSession, type RepoSession, withSession } from './session.ts';

type RepoReport = { readonly repo: string } & (SetReport | { readonly failure: Problem });

/**
 * `tallyman set IMAGE:TAG[@DIGEST]`: the last step of an application's CI. Exit codes: 0 written, or there already; 1 every
 * policy refused, or there is none; 2 usage; 3 failed.
 */
export async function setCommand(
  image: string,
  flags: CommonFlags & { output?: string },
  open: OpenSession,
): Promise<number> {
  const wanted = parseWanted(image);
  if ('code' in wanted) {
    process.stderr.write(`${formatProblem(wanted)}\n`);
    return exitCodes.usage;
  }
  return await withSession(flags, open, async ({ session, signal }) => {
    const reports: RepoReport[] = [];
    for (const repo of session.repos) reports.push(await setIn(repo, wanted, signal));
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(reports, null, 2)}\n` : formatReports(reports));
    for (const problem of reports.flatMap(listProblems)) process.stderr.write(`${formatProblem(problem)}\n`);
    return judge(reports);
  });
}

function parseWanted(image: string): ImageToSet | Problem {
  try {
    const { host, path, tag, digest } = parseImageReference(image);
    const repository = { host, path };
    if (tag !== undefined) return { repository, tag, digest };
  } catch (error) {
    return toProblem(error);
  }
  const message = `Cannot set image "${image}": it has no tag, IMAGE:TAG or IMAGE:TAG@DIGEST was wanted`;
  return { code: 'ReferenceInvalid', message, remedy: 'Name the tag that was pushed.' };
}

async function setIn({ name, context }: RepoSession, wanted: ImageToSet, signal: AbortSignal): Promise<RepoReport> {
  try {
    return { repo: name, ...(await setImage(context, wanted, { signal })) };
  } catch (error) {
    return { repo: name, failure: toProblem(error) };
  }
}

function listProblems(report: RepoReport): readonly Problem[] {
  return 'failure' in report ? [report.failure] : report.problems;
}

function judge(reports: readonly RepoReport[]): number {
  if (reports.some((report) => 'failure' in report || report.problems.some(({ code }) => code === 'PushRaced')))
    return exitCodes.failed;
  const outcomes = reports.flatMap((report) => ('failure' in report ? [] : report.policies));
  return outcomes.some(({ outcome }) => outcome !== 'refused') ? exitCodes.ok : exitCodes.problems;
}

function formatReports(reports: readonly RepoReport[]): string {
  const lines = reports.flatMap((report) => {
    if ('failure' in report) return [];
    const { repo, image, policies, commits } = report;
    if (policies.length === 0) return [`${repo}: no policy is about this image, ${image}`];
    return [
      ...policies.map(({ policy, outcome, reason }) => `${policy}: ${outcome}: ${reason}`),
      ...commits.map(({ commit }) => `committed as ${commit}`),
    ];
  });
  return lines.map((line) => `${printable(line)}\n`).join('');
}
