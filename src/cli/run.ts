import { formatProblem, isError, toProblem } from '../error/problem.ts';
import { commitAndPropose, type WholeReport } from '../pipeline/commit-and-propose.ts';
import type { Log } from '../pipeline/ports.ts';
import { createEventObserver } from '../pipeline/tell-events.ts';
import { createProblemTeller, tellReport } from '../pipeline/tell-report.ts';
import {
  type CommonFlags,
  exitCodes,
  fail,
  type OpenSession,
  type RepoSession,
  type Session,
  withSession,
} from './session.ts';
import { watchRepos } from './watch.ts';

/** `tallyman run`: passes until stopped; with `--once` one over each Yaml repo, and the exit code says what happened. */
export function runCommand(flags: CommonFlags & { once?: boolean }, open: OpenSession): Promise<number> {
  return withSession(flags, open, async ({ session, config, log, signal }) => {
    try {
      await session.tryToSign();
    } catch (error) {
      const problem = toProblem(error);
      if (problem.code !== 'SecretUnavailable') return fail([formatProblem(problem)]);
      // It may come yet; until then nothing is committed, and each pass that would commit says so.
      createProblemTeller(log).tell([problem]);
    }
    if (flags.once === true) {
      const codes = [];
      for (const repo of session.repos) codes.push(await runOnce(repo, { session, log, signal }));
      await session.cluster?.flush({ signal: AbortSignal.timeout(flushMs) });
      return Math.max(...codes);
    }
    log.info({ repos: session.repos.map((repo) => repo.name), intervalSeconds: config.intervalSeconds }, 'watching');
    return await watchRepos(session, { config, log, signal });
  });
}

/** That a cluster does not answer keeps no pipeline waiting. */
const flushMs = 10_000;
const stopped = 'stopped before the pass was done';

interface Once {
  readonly session: Session;
  readonly log: Log;
  readonly signal: AbortSignal;
}

async function runOnce(repo: RepoSession, { session, log, signal }: Once): Promise<number> {
  const teller = createProblemTeller(log);
  const { name: subject, formatCommitUrl } = repo;
  const events = session.cluster?.events;
  const observer = events && createEventObserver(events, [{ subject, formatCommitUrl }]);
  try {
    const report = await commitAndPropose(repo.context, { signal });
    tellReport(report, log, teller);
    observer?.end(subject, { report });
    log.info(
      { commit: report.commit, updates: countUpdates(report), problems: report.problems.length },
      describe(report),
    );
    if (signal.aborted) {
      log.info({}, stopped);
      return exitCodes.failed;
    }
    return report.problems.some(isError) ? exitCodes.problems : exitCodes.ok;
  } catch (error) {
    if (signal.aborted) log.info({}, stopped);
    else {
      const failure = toProblem(error);
      teller.tell([failure]);
      observer?.end(subject, { failure });
    }
    return exitCodes.failed;
  }
}

function describe(report: WholeReport): string {
  const { commits, policies, proposals } = report;
  const open = proposals.filter(({ state }) => state === 'opened' || state === 'updated').length;
  if (commits.length === 0 && open > 0) return `proposed updates in ${open} pull request${open === 1 ? '' : 's'}`;
  if (commits.length === 0)
    return `nothing to commit for ${policies.length} ${policies.length === 1 ? 'policy' : 'policies'}`;
  const count = countUpdates(report);
  return `committed ${count} update${count === 1 ? '' : 's'} as ${commits.map(({ commit }) => commit).join(', ')}`;
}

function countUpdates({ commits }: WholeReport): number {
  return commits.reduce((sum, { updates }) => sum + updates.length, 0);
}
